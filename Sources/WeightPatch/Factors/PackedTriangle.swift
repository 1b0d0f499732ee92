import Tensors

/// The rows of the lower triangle of a symmetric matrix, one after another: E (E + 1) / 2 elements.
func packedLowerTriangle(_ matrix: Matrix<Double>) -> [Double] {
  precondition(matrix.rows == matrix.columns, "a Gram matrix is square")
  return (0..<matrix.rows).flatMap { matrix.row($0)[...$0] }
}

/// The symmetric matrix whose lower triangle `packed` holds.
///
/// - Parameter size: E, with E (E + 1) / 2 elements in `packed`.
func symmetricMatrix(packed: [Double], size: Int) -> Matrix<Double> {
  precondition(packed.count == size * (size + 1) / 2)
  var matrix = Matrix<Double>(uninitializedRows: size, columns: size)
  matrix.withUnsafeMutablePointer { elements in
    var position = 0
    for row in 0..<size {
      for column in 0...row {
        elements[row * size + column] = packed[position]
        elements[column * size + row] = packed[position]
        position += 1
      }
    }
  }
  return matrix
}
