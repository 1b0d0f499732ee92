import LinearAlgebra
import Tensors
import WeightPatch

extension GramSystem {
  /// The factors of a solution beside a B that keeps its stored bytes: A in float16 if that keeps the edit at the keys,
  /// else in float32 (`FactorTypes.choose`).
  ///
  /// D k_e for all e is A (B K), and B K = U^T K = G. So what rounding A costs can be measured without keys, but not
  /// what the rounding of B has to do with it.
  ///
  /// - Parameters:
  ///   - solution: A, d_out x E.
  ///   - right: B as it is stored, E x d_in.
  ///   - keys: K^T, E x d_in, if they are known.
  ///   - text: T, E x E, if it is known.
  ///   - heldProduct: B H, E x h, likewise.
  /// - Returns: the factors, and the largest over the facts of norm(D_stored k_e - D k_e) / norm(r_e).
  /// - Throws: an `ErrataError` if A is too large or too small for float32.
  func factors(
    solution: Matrix<Double>, right: StoredFactor, keys: StoredFactor?, text: Matrix<Double>? = nil,
    heldProduct: Matrix<Double>? = nil, name: ByteString, isTransposed: Bool
  ) throws -> (factors: LowRankFactors, error: Double) {
    let single = try solution.narrowedFactor(.columns)
    // K and B both have finite values, and so has their product.
    let storedAtKeys = keys?.values(facts: .rows).flatMap { keys in
      right.values(facts: .rows)?.widened().multiplied(by: keys.widened(), .transposed)
    }
    let wanted = solution.multiplied(by: gram)
    let norms = residuals.rowNorms()
    let choice = try FactorTypes.automatic.choose(from: [(.f16, right.dtype), (.f32, right.dtype)]) {
      type, _ -> FactorTypes.Choice<StoredFactor>? in
      let factor = StoredFactor(single, dtype: type, facts: .columns)
      guard let values = factor.values(facts: .columns)?.widened() else { return nil }
      let difference = values.multiplied(by: storedAtKeys ?? gram).subtracting(wanted)
      return (factor, difference.largestColumn(inUnitsOf: norms))
    }
    let factors = LowRankFactors(
      name: name, isTransposed: isTransposed, left: choice.stored, right: right, gram: gram, keys: keys,
      text: text, heldProduct: heldProduct)
    return (factors, choice.error)
  }
}

extension Manifest.TensorFigures {
  /// Records the norm of a new D, and the two halves of its objective.
  ///
  /// - Parameter batch: says what A was solved with; where it does not know rho, preservation is an upper bound.
  mutating func update(of factors: LowRankFactors, in batch: Manifest.Batch) {
    deltaNorm = factors.deltaNorm(using: .blas)
    preservation = factors.preservation(
      ridge: batch.ridge(of: factors.name) ?? 0, metric: batch.metric, using: .blas)
    memorization = factors.worstMemorization(slack: batch.slack(of: factors.name), using: .blas)
  }
}

extension StoredFactor {
  /// The facts at `indices` of a factor whose rows are facts, in the bytes that they are stored in.
  func facts(at indices: [Int]) -> StoredFactor {
    let width = bytes.count / rows
    return StoredFactor(
      dtype: dtype, rows: indices.count, columns: columns,
      bytes: indices.flatMap { bytes[$0 * width..<($0 + 1) * width] },
      exponents: exponents.map { exponents in indices.map { exponents[$0] } })
  }
}
