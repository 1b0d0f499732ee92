import COpenBLAS
import Tensors

/// The thin singular value decomposition `M = U diag(s) V^T` in binary64, by divide and conquer (LAPACK dgesdd).
///
/// For a long, thin matrix it is cheaper to take the decomposition of R of its `OrthogonalFactor`.
public struct SingularValueDecomposition: Sendable {
  /// There is none: the matrix is not finite, or the iteration does not converge.
  public struct NotConverged: Error, Equatable {}

  /// U, rows x k with k = min(rows, columns), with orthonormal columns.
  public let left: Matrix<Double>
  /// s, k values, descending, not negative.
  public let values: [Double]
  /// V^T, k x columns, with orthonormal rows.
  public let right: Matrix<Double>

  /// - Throws: `NotConverged`.
  /// - Complexity: O(rows columns k).
  public init(_ matrix: Matrix<Double>) throws(NotConverged) {
    let k = min(matrix.rows, matrix.columns)
    var left = Matrix<Double>(rows: matrix.rows, columns: k)
    var right = Matrix<Double>(rows: k, columns: matrix.columns)
    values = try left.withUnsafeMutablePointer { left throws(NotConverged) in
      try right.withUnsafeMutablePointer { right throws(NotConverged) in
        try Self.decompose(matrix, vectors: (left, right))
      }
    }
    (self.left, self.right) = (left, right)
  }

  /// The singular values alone, k of them, descending, not negative: a few times faster.
  ///
  /// - Throws: `NotConverged`.
  public static func values(of matrix: Matrix<Double>) throws(NotConverged) -> [Double] {
    try decompose(matrix, vectors: nil)
  }

  /// - Parameter vectors: room for U and V^T, row-major.
  private static func decompose(
    _ matrix: Matrix<Double>, vectors: (left: UnsafeMutablePointer<Double>, right: UnsafeMutablePointer<Double>)?
  ) throws(NotConverged) -> [Double] {
    let k = min(matrix.rows, matrix.columns)
    guard k > 0 else { return [] }
    // dgesdd can go on for ever where a value is not a number.
    guard matrix.frobeniusNorm.isFinite else { throw NotConverged() }
    var copy = matrix
    var values = [Double](repeating: 0, count: k)
    var integers = [Int32](repeating: 0, count: 8 * k)
    // LAPACK is column-major: it sees the transpose, M^T = V s U^T, and what it calls U is V.
    var (m, n, inner) = (Int32(matrix.columns), Int32(matrix.rows), Int32(k))
    var info: Int32 = 0
    copy.withUnsafeMutablePointer { elements in
      BLAS.withThreads(multiplyAdds: 4 * matrix.count * k) {
        withWorkspace {
          dgesdd_(
            vectors == nil ? "N" : "S", &m, &n, elements, &m, &values, vectors?.right, &m, vectors?.left, &inner, $0,
            $1, &integers, &info, 1)
        }
      }
    }
    guard info == 0 else { throw NotConverged() }
    return values
  }
}
