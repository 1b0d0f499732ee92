import COpenBLAS
import Tensors

/// The thin QR factorization `M = Q R` in binary64, by Householder reflections (LAPACK dgelqf and dorglq).
///
/// With k = min(rows, columns), Q (rows x k) has orthonormal columns also where M does not have full rank, and R (k x
/// columns) is upper triangular. The diagonal of R may have either sign.
public struct OrthogonalFactor: Sendable {
  /// Q, rows x k.
  public let orthonormal: Matrix<Double>
  /// R, k x columns, upper triangular.
  public let triangular: Matrix<Double>

  /// - Complexity: O(rows columns k).
  public init(_ matrix: Matrix<Double>) {
    let (rows, columns, k) = (matrix.rows, matrix.columns, min(matrix.rows, matrix.columns))
    guard k > 0 else {
      orthonormal = Matrix(rows: rows, columns: 0)
      triangular = Matrix(rows: 0, columns: columns)
      return
    }
    // LAPACK is column-major: it sees the transpose, M^T = L P, and so M = P^T L^T.
    var reflectors = matrix
    var triangle = Matrix<Double>(rows: k, columns: columns)
    var (m, n, inner) = (Int32(columns), Int32(rows), Int32(k))
    var scales = [Double](repeating: 0, count: k)
    var info: Int32 = 0
    reflectors.withUnsafeMutablePointer { elements in
      BLAS.withThreads(multiplyAdds: 2 * rows * columns * k) {
        withWorkspace { dgelqf_(&m, &n, elements, &m, &scales, $0, $1, &info) }
        for row in 0..<k {
          for column in row..<columns { triangle[row, column] = elements[row * columns + column] }
        }
        withWorkspace { dorglq_(&inner, &n, &inner, elements, &m, &scales, $0, $1, &info) }
      }
    }
    triangular = triangle
    // The rows of P^T are `columns` apart; only their first k elements are set.
    orthonormal = k == columns ? reflectors : reflectors.firstColumns(k)
  }
}

/// Calls a LAPACK routine twice: to ask for the size of its workspace, and with the workspace.
func withWorkspace(_ routine: (_ work: UnsafeMutablePointer<Double>, _ size: UnsafePointer<Int32>) -> Void) {
  var size: Int32 = -1
  var wanted = 0.0
  routine(&wanted, &size)
  size = Int32(wanted.rounded(.up))
  withUnsafeTemporaryAllocation(of: Double.self, capacity: max(Int(size), 1)) { routine($0.baseAddress!, &size) }
}

extension Matrix where Element == Double {
  /// The first `count` columns, copied.
  public func firstColumns(_ count: Int) -> Matrix<Double> {
    precondition(count <= columns)
    var result = Matrix(uninitializedRows: rows, columns: count)
    let (rows, columns) = (self.rows, self.columns)
    withUnsafePointer { source in
      result.withUnsafeMutablePointer { destination in
        for row in 0..<rows { (destination + row * count).update(from: source + row * columns, count: count) }
      }
    }
    return result
  }
}
