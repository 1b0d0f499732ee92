import LinearAlgebra
import Tensors

/// The nearest positive semidefinite matrix to a symmetric one, in the Frobenius norm: its eigenvalues without those
/// below zero (N. J. Higham, Computing a nearest symmetric positive semidefinite matrix, 1988).
///
/// A Gram matrix has no negative eigenvalue; one that was made of rounded numbers can have some.
struct PositivePart {
  /// V diag(root of the eigenvalues), n x n: this matrix times its transpose is the positive part.
  let root: Matrix<Double>

  /// - Parameter matrix: symmetric.
  /// - Throws: `NotConverged` if a value is not finite.
  /// - Complexity: O(n^3).
  init(of matrix: Matrix<Double>) throws(SingularValueDecomposition.NotConverged) {
    // Shifted by its norm it has no negative eigenvalue, and its singular values are its eigenvalues.
    let shift = matrix.frobeniusNorm
    var shifted = matrix
    for index in 0..<matrix.rows { shifted[index, index] += shift }
    let decomposition = try SingularValueDecomposition(shifted)
    root = decomposition.left.scalingColumns(by: decomposition.values.map { max($0 - shift, 0).squareRoot() })
  }

  var matrix: Matrix<Double> { root.multiplied(by: root, .transposed) }
}
