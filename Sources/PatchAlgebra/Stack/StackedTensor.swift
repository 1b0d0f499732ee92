import LinearAlgebra
import Tensors
import WeightPatch

/// One tensor as the batches of a stack edit it, in binary64.
///
/// Batches that were solved with the same second moments C share the blocks of one Gram matrix:
///
///     G_pi = K_p^T C^-1 K_i = B_p K_i = (B_i K_p)^T
///
/// so that the keys of either of two batches are enough for the block that they share. Where a batch holds the keys of
/// others, `C^-1 K` stands for its B^T here, but not in what it does to the tensor.
struct StackedTensor {
  /// What a batch does to the tensor.
  struct Part {
    /// A, d_out x E.
    let left: Matrix<Double>
    /// B, E x d_in.
    let right: Matrix<Double>
    /// (C^-1 K)^T, E x d_in, for a batch whose B is not that because it holds keys.
    let unheldDirections: Matrix<Double>?
    /// For each fact about the norm of what storing has changed of its row of directions.
    let rounding: [Double]
    /// K^T, E x d_in, if known.
    let keys: Matrix<Double>?
    /// Whether the keys are those of B as it is stored, K = C B^T, and not those that it was rounded from.
    let hasExactKeys: Bool
    /// nil for a batch that cannot be solved again.
    let system: GramSystem?
    /// The parts, by position, that were in place when this one was computed.
    let computedOn: [Int]

    init(
      left: Matrix<Double>, right: Matrix<Double>, unheldDirections: Matrix<Double>? = nil, rounding: [Double]? = nil,
      keys: Matrix<Double>?,
      hasExactKeys: Bool = false, system: GramSystem?, computedOn: [Int] = []
    ) {
      self.left = left
      self.right = right
      self.unheldDirections = unheldDirections
      self.rounding = rounding ?? Array(repeating: 0, count: right.rows)
      self.keys = keys
      self.hasExactKeys = hasExactKeys
      self.system = system
      self.computedOn = computedOn
    }

    /// (C^-1 K)^T, E x d_in.
    var directions: Matrix<Double> { unheldDirections ?? right }

    /// How far B K is from the G that was solved: the largest difference of two facts, as a share of their keys' norms
    /// in the metric of C^-1. Rounding of the stored factors makes it some 1e-4. nil if there is nothing to compare.
    var inexactness: Double? {
      guard let keys, let gram = system?.gram else { return nil }
      let found = right.multiplied(by: keys, .transposed)
      var largest = 0.0
      for row in 0..<gram.rows {
        for column in 0..<gram.rows {
          let scale = (gram[row, row] * gram[column, column]).squareRoot()
          let difference = abs(found[row, column] - gram[row, column])
          largest = max(largest, difference / max(scale, .leastNormalMagnitude))
        }
      }
      return largest
    }
  }

  let parts: [Part]

  /// B_p K_i, E_p x E_i: the directions of part p at the keys of part i.
  ///
  /// - Returns: nil if the keys that it takes are not known.
  func product(_ p: Int, atKeysOf i: Int) -> Matrix<Double>? {
    // What was solved is exact, but fits only itself: beside blocks that are computed from the stored B it would be of
    // other numbers.
    if p == i, !parts[p].hasExactKeys, let system = parts[p].system { return system.gram }
    let direct = parts[i].keys.map { parts[p].right.multiplied(by: $0, .transposed) }
    // Only C^-1 itself is symmetric in two batches that hold other keys.
    guard parts[p].unheldDirections == nil, parts[i].unheldDirections == nil else { return direct }
    return symmetrized(direct, p, i)
  }

  /// K_p^T C^-1 K_i, E_p x E_i.
  ///
  /// - Returns: nil if the keys that it takes are not known.
  func gramBlock(_ p: Int, _ i: Int) -> Matrix<Double>? {
    if parts[p].unheldDirections == nil, parts[i].unheldDirections == nil { return product(p, atKeysOf: i) }
    return symmetrized(parts[i].keys.map { parts[p].directions.multiplied(by: $0, .transposed) }, p, i)
  }

  /// The mean of a block and of the same one as it follows from the other batch's directions, if both are known.
  private func symmetrized(_ direct: Matrix<Double>?, _ p: Int, _ i: Int) -> Matrix<Double>? {
    guard parts[p].system != nil, parts[i].system != nil, let keys = parts[p].keys else { return direct }
    let mirrored = keys.multiplied(by: parts[i].directions, .transposed)
    guard var mean = direct else { return mirrored }
    for row in 0..<mean.rows {
      for column in 0..<mean.columns { mean[row, column] = (mean[row, column] + mirrored[row, column]) / 2 }
    }
    return mean
  }

  /// Two parts whose common block takes keys that neither carries.
  struct MissingKeys: Error {
    let parts: (Int, Int)
  }

  /// What the parts' facts ask of the base: the residuals, with what was in place when they were measured added to
  /// them. For i computed on p, D_p K_i = A_p (B_p K_i).
  ///
  /// - Returns: R^T, E x d_out.
  /// - Precondition: the part can be solved again.
  func residualsOnBase(_ i: Int) throws(MissingKeys) -> Matrix<Double> {
    var residuals = parts[i].system!.residuals
    for p in parts[i].computedOn {
      guard let product = product(p, atKeysOf: i) else { throw MissingKeys(parts: (p, i)) }
      let change = product.multiplied(.transposed, by: parts[p].left, .transposed)
      for row in 0..<residuals.rows {
        for column in 0..<residuals.columns { residuals[row, column] += change[row, column] }
      }
    }
    return residuals
  }
}
