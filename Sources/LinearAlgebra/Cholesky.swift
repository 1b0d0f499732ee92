import COpenBLAS
import Tensors

/// The factor of a symmetric positive definite matrix, `M = L L^T`, in binary64 (LAPACK dpotrf).
public struct Cholesky: Sendable {
  /// The leading minor that is not positive: the matrix is not positive definite.
  public struct NotPositiveDefinite: Error, Equatable {
    /// The order of the leading minor, from 1.
    public let order: Int
  }

  /// Row-major; the factor is in the lower triangle, the rest is what the matrix had there.
  private let factor: Matrix<Double>
  public var size: Int { factor.rows }

  /// The squares of L's diagonal: for each row, how much of the matrix's diagonal element the rows before it leave.
  public var pivots: [Double] { (0..<size).map { factor[$0, $0] * factor[$0, $0] } }

  /// Reads the lower triangle of `matrix`, in whose memory the factor is made if nobody else holds it.
  ///
  /// - Throws: `NotPositiveDefinite`, also if the matrix is not finite.
  public init(_ matrix: consuming Matrix<Double>) throws(NotPositiveDefinite) {
    precondition(matrix.rows == matrix.columns)
    var factor = matrix
    let order = factor.rows
    var size = Int32(order)
    var info: Int32 = 0
    if size > 0 {
      factor.withUnsafeMutablePointer { elements in
        Profile.measure("Cholesky") {
          Profile.count(operations: order * order * order / 3)
          Threads.withBLASThreads(multiplyAdds: order * order * order / 6) {
            // LAPACK is column-major: the row-major lower triangle is its upper one.
            dpotrf_("U", &size, elements, &size, &info, 1)
          }
        }
      }
    }
    guard info == 0 else { throw NotPositiveDefinite(order: Int(info)) }
    // OpenBLAS asks whether a pivot is at most zero, which a NaN is not.
    for index in 0..<factor.rows where !factor[index, index].isFinite {
      throw NotPositiveDefinite(order: index + 1)
    }
    self.factor = factor
  }

  /// A factor that was made before.
  ///
  /// - Parameter factor: L in the lower triangle.
  public init(factor: consuming Matrix<Double>) {
    precondition(factor.rows == factor.columns)
    self.factor = factor
  }

  /// Calls `body` with the rows of L, each up to the diagonal.
  public func forEachRow(_ body: (UnsafeBufferPointer<Double>) throws -> Void) rethrows {
    try factor.withUnsafePointer { elements in
      for row in 0..<size { try body(UnsafeBufferPointer(start: elements + row * size, count: row + 1)) }
    }
  }

  /// `M x` for a vector x, a column.
  public func product(with vector: Matrix<Double>) -> Matrix<Double> {
    precondition(vector.rows == size && vector.columns == 1)
    var result = vector
    let order = Int32(size)
    guard size > 0 else { return result }
    factor.withUnsafePointer { l in
      result.withUnsafeMutablePointer { x in
        cblas_dtrmv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, order, l, order, x, 1)
        cblas_dtrmv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, order, l, order, x, 1)
      }
    }
    return result
  }

  /// `M^-1 X` for a matrix X with `size` rows.
  public func solve(_ right: Matrix<Double>) -> Matrix<Double> {
    precondition(right.rows == size)
    var result = right
    guard right.count > 0 else { return result }
    let (rows, columns) = (Int32(size), Int32(right.columns))
    factor.withUnsafePointer { l in
      result.withUnsafeMutablePointer { x in
        Profile.measure("triangular solves") {
          Profile.count(operations: 2 * size * size * right.columns)
          Threads.withBLASThreads(multiplyAdds: size * size * right.columns) {
            cblas_dtrsm(
              CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, rows, columns, 1, l, rows, x, columns)
            cblas_dtrsm(
              CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, rows, columns, 1, l, rows, x, columns)
          }
        }
      }
    }
    return result
  }

  /// `X M^-1` for a matrix X with `size` columns.
  public func solveRight(_ left: Matrix<Double>) -> Matrix<Double> {
    solve(left.transposed()).transposed()
  }

  /// An estimate of the reciprocal condition number of `matrix`, whose factor this is, in the 1-norm (LAPACK dpocon).
  public func reciprocalCondition(of matrix: Matrix<Double>) -> Double {
    precondition(matrix.rows == size && matrix.columns == size)
    guard size > 0 else { return 1 }
    var norm = 0.0
    var sums = [Double](repeating: 0, count: size)
    matrix.withUnsafePointer { elements in
      for row in 0..<size {
        for column in 0..<size { sums[column] += abs(elements[row * size + column]) }
      }
    }
    norm = sums.max() ?? 0
    var order = Int32(size)
    var result = 0.0
    var info: Int32 = 0
    var work = [Double](repeating: 0, count: 3 * size)
    var integerWork = [Int32](repeating: 0, count: size)
    factor.withUnsafePointer { dpocon_("U", &order, $0, &order, &norm, &result, &work, &integerWork, &info, 1) }
    return result
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
  factor.withUnsafeMutablePointer { elements in
    dpstrf_("U", &size, elements, &size, &pivots, &rank, &threshold, &work, &info, 1)
  }
  return pivots[Int(rank)...].map { Int($0) - 1 }.sorted()
}
