import COpenBLAS
import Tensors

/// The factor of a symmetric positive definite matrix, `M = L L^T`, in binary64 (LAPACK dpftrf).
public struct Cholesky: Sendable {
  /// The leading minor that is not positive: the matrix is not positive definite.
  public struct NotPositiveDefinite: Error, Equatable {
    /// The order of the leading minor, from 1.
    public let order: Int
  }

  /// L.
  private let factor: PackedTriangle
  public var size: Int { factor.size }
  public var byteCount: Int { factor.byteCount }

  /// The squares of L's diagonal: for each row, how much of the matrix's diagonal element the rows before it leave.
  public var pivots: [Double] { factor.diagonal.map { $0 * $0 } }

  /// - Parameter matrix: in its memory the factor is made, if nobody else holds it.
  /// - Throws: `NotPositiveDefinite`, also if the matrix is not finite.
  public init(_ matrix: consuming PackedTriangle) throws(NotPositiveDefinite) {
    var factor = matrix
    let order = factor.size
    var size = Int32(order)
    var info: Int32 = 0
    if size > 0 {
      factor.withUnsafeMutablePointer { elements in
        BLAS.run("Cholesky", operations: order * order * order / 3) {
          dpftrf_("N", "L", &size, elements, &info, 1, 1)
        }
      }
    }
    guard info == 0 else { throw NotPositiveDefinite(order: Int(info)) }
    // OpenBLAS asks whether a pivot is at most zero, which a NaN is not.
    if let index = factor.diagonal.firstIndex(where: { !$0.isFinite }) { throw NotPositiveDefinite(order: index + 1) }
    self.factor = factor
  }

  /// Reads the lower triangle of `matrix`.
  ///
  /// - Throws: `NotPositiveDefinite`, also if the matrix is not finite.
  public init(_ matrix: Matrix<Double>) throws(NotPositiveDefinite) {
    try self.init(PackedTriangle(lowerTriangleOf: matrix))
  }

  /// A factor that was made before.
  ///
  /// - Parameter factor: L.
  public init(factor: consuming PackedTriangle) {
    self.factor = factor
  }

  /// Calls `body` with the rows of L, each up to the diagonal.
  public func forEachRow(_ body: (UnsafeBufferPointer<Double>) throws -> Void) rethrows {
    for row in 0..<size {
      let elements = (0...row).map { factor[row, $0] }
      try elements.withUnsafeBufferPointer(body)
    }
  }

  /// `M x` for a vector x, a column.
  public func product(with vector: Matrix<Double>) -> Matrix<Double> {
    precondition(vector.rows == size && vector.columns == 1)
    var result = vector
    guard size > 0 else { return result }
    BLAS.useOneThread()
    factor.withBlocks { l in
      result.withUnsafeMutablePointer { x1 in
        let x2 = x1 + Int(l.firstSize)
        func triangle(_ part: CBLAS_UPLO, _ transposed: CBLAS_TRANSPOSE, _ x: UnsafeMutablePointer<Double>) {
          let (matrix, size) = part == CblasLower ? (l.first, l.firstSize) : (l.second, l.secondSize)
          cblas_dtrmv(CblasColMajor, part, transposed, CblasNonUnit, size, matrix, l.stride, x, 1)
        }
        func below(_ transposed: CBLAS_TRANSPOSE, _ x: UnsafePointer<Double>, addedTo y: UnsafeMutablePointer<Double>) {
          cblas_dgemv(CblasColMajor, transposed, l.secondSize, l.firstSize, 1, l.below, l.stride, x, 1, 1, y, 1)
        }
        // L^T x, then L times that; the second block is stored transposed.
        triangle(CblasLower, CblasTrans, x1)
        below(CblasTrans, x2, addedTo: x1)
        triangle(CblasUpper, CblasNoTrans, x2)
        triangle(CblasUpper, CblasTrans, x2)
        below(CblasNoTrans, x1, addedTo: x2)
        triangle(CblasLower, CblasNoTrans, x1)
      }
    }
    return result
  }

  /// `M^-1 X` for a matrix X with `size` rows.
  public func solve(_ right: Matrix<Double>) -> Matrix<Double> {
    precondition(right.rows == size)
    var result = right
    guard right.count > 0 else { return result }
    let (size, columns) = (size, right.columns)
    factor.elements.withUnsafePointer { l in
      result.withUnsafeMutablePointer { x in
        BLAS.run("triangular solves", operations: 2 * size * size * columns) {
          // LAPACK is column-major: it sees X^T, of which X^T L^-T and then that L^-1 is taken.
          var (m, n, one) = (Int32(columns), Int32(size), 1.0)
          dtfsm_("N", "R", "L", "T", "N", &m, &n, &one, l, x, &m, 1, 1, 1, 1, 1)
          dtfsm_("N", "R", "L", "N", "N", &m, &n, &one, l, x, &m, 1, 1, 1, 1, 1)
        }
      }
    }
    return result
  }

  /// `X M^-1` for a matrix X with `size` columns.
  public func solveRight(_ left: Matrix<Double>) -> Matrix<Double> {
    solve(left.transposed()).transposed()
  }

  /// An estimate of the reciprocal condition number of the matrix whose factor this is, in the 1-norm (LAPACK dlacn2,
  /// as dpocon has it).
  ///
  /// - Parameter norm: the matrix's 1-norm.
  public func reciprocalCondition(norm: Double) -> Double {
    guard size > 0 else { return 1 }
    var order = Int32(size)
    var (v, signs) = ([Double](repeating: 0, count: size), [Int32](repeating: 0, count: size))
    var vector = Matrix<Double>(rows: size, columns: 1)
    var (inverseNorm, next, state) = (0.0, Int32(0), [Int32](repeating: 0, count: 3))
    while true {
      vector.withUnsafeMutablePointer { dlacn2_(&order, &v, $0, &signs, &inverseNorm, &next, &state) }
      // What it asks for next is M^-1 x or M^-T x, which are the same.
      if next == 0 { break }
      vector = solve(vector)
    }
    return 1 / inverseNorm / norm
  }
}

/// Which rows of a symmetric positive semidefinite matrix depend linearly on the others (LAPACK dpstrf: Cholesky with
/// complete pivoting).
///
/// - Parameter tolerance: a pivot below `tolerance` times the largest diagonal element counts as zero.
/// - Returns: indices, ascending, of the rows that the pivoting left over; empty if the matrix has full rank.
public func dependentRows(of matrix: Matrix<Double>, tolerance: Double) -> [Int] {
  precondition(matrix.rows == matrix.columns)
  var factor = matrix
  var size = Int32(matrix.rows)
  guard size > 0 else { return [] }
  var pivots = [Int32](repeating: 0, count: matrix.rows)
  var rank: Int32 = 0
  var info: Int32 = 0
  var work = [Double](repeating: 0, count: 2 * matrix.rows)
  let largest = (0..<matrix.rows).map { matrix[$0, $0] }.max() ?? 0
  var threshold = tolerance * largest
  BLAS.useOneThread()
  factor.withUnsafeMutablePointer { elements in
    dpstrf_("U", &size, elements, &size, &pivots, &rank, &threshold, &work, &info, 1)
  }
  return pivots[Int(rank)...].map { Int($0) - 1 }.sorted()
}
