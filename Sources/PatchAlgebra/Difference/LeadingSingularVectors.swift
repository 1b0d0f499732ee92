import LinearAlgebra
import Tensors

/// The largest singular values of a difference, with their vectors: all of them where the matrix is small, else as many
/// as are asked for, by the randomised range finder with two power iterations (N. Halko, P.-G. Martinsson and J. A.
/// Tropp, Finding structure with randomness, 2011, algorithms 4.4 and 5.1).
///
/// The random numbers are always the same, so the same tensors give the same result.
struct LeadingSingularVectors {
  /// U, rows x k.
  let left: Matrix<Double>
  /// Descending.
  let values: [Double]
  /// V^T, k x columns.
  let right: Matrix<Double>
  /// Whether these are all singular values.
  let isComplete: Bool

  /// Up to here, in rows or columns and in elements, a matrix is decomposed as a whole.
  private static let smallExtent = 512
  private static let smallCount = 1 << 22
  /// Directions that are sought beyond those that are returned.
  private static let oversampling = 10
  private static let powerIterations = 2

  /// Finds singular values until one is not needed, or `limit` of them.
  ///
  /// - Parameters:
  ///   - difference: rows x columns.
  ///   - rule: which are needed.
  /// - Throws: `SingularValueDecomposition.NotConverged` if a value is not finite.
  init(
    of difference: DifferenceMatrix, _ figures: DifferenceFigures, rule: NumericalRank.Rule, limit: Int
  ) throws(SingularValueDecomposition.NotConverged) {
    let smaller = min(difference.rows, difference.columns)
    guard smaller > Self.smallExtent || difference.rows * difference.columns > Self.smallCount else {
      let whole = try SingularValueDecomposition(difference[0..<difference.rows])
      self.init(left: whole.left, values: whole.values, right: whole.right, isComplete: true)
      return
    }
    let limit = min(limit, smaller)
    var wanted = min(32, limit)
    while true {
      let isLast = wanted >= limit
      let found = try Self.find(wanted, of: difference) {
        !isLast && NumericalRank.moreAreNeeded(than: $0, of: figures, rule: rule)
      }
      if let found, isLast || NumericalRank.needed(found.values, of: figures, rule: rule) != nil {
        self = found
        return
      }
      wanted = min(2 * wanted, limit)
    }
  }

  private init(left: Matrix<Double>, values: [Double], right: Matrix<Double>, isComplete: Bool) {
    self.left = left
    self.values = values
    self.right = right
    self.isComplete = isComplete
  }

  /// - Parameter isShort: whether `count` values will not do, told by lower bounds of them: then the search ends early.
  /// - Returns: nil if it does.
  private static func find(
    _ count: Int, of difference: DifferenceMatrix, unless isShort: ([Double]) -> Bool
  ) throws(SingularValueDecomposition.NotConverged) -> LeadingSingularVectors? {
    let width = min(count + oversampling, difference.rows, difference.columns)
    var random = SignSequence()
    let signs = Matrix(
      rows: difference.columns, columns: width, elements: (0..<difference.columns * width).map { _ in random.next() })
    var basis = OrthogonalFactor(difference.multiplied(by: signs)).orthonormal
    for iteration in 0..<powerIterations {
      // D^T Q = P R: the singular values of R are those of Q^T D, and no power iteration makes them smaller.
      let rows = OrthogonalFactor(difference.transposedMultiplied(by: basis))
      if iteration == 0 {
        let bounds = try SingularValueDecomposition.values(of: rows.triangular)
        if isShort(Array(bounds.prefix(count))) { return nil }
      }
      basis = OrthogonalFactor(difference.multiplied(by: rows.orthonormal)).orthonormal
    }
    // D ~ Q (Q^T D): what Q^T D is a product of, (D^T Q)^T = (P R)^T, leaves a small matrix to decompose.
    let projected = OrthogonalFactor(difference.transposedMultiplied(by: basis))
    let core = try SingularValueDecomposition(projected.triangular.transposed())
    let kept = min(count, width)
    return LeadingSingularVectors(
      left: basis.multiplied(by: core.left.firstColumns(kept)), values: Array(core.values.prefix(kept)),
      right: projected.orthonormal.multiplied(by: core.right.transposed().firstColumns(kept)).transposed(),
      isComplete: kept == min(difference.rows, difference.columns))
  }
}

/// +1 and -1, each equally likely (SplitMix64).
private struct SignSequence {
  private var state: UInt64 = 0x0DDB_A115

  mutating func next() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return (mixed ^ (mixed >> 31)) & 1 == 0 ? 1 : -1
  }
}
