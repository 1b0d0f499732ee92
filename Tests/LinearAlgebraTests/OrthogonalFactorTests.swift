import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

@Suite struct OrthogonalFactorTests {
  /// Wide, tall and square; the last ones are large enough for the blocked algorithm and for BLAS's threads.
  @Test(arguments: [(1, 1), (5, 1), (1, 5), (7, 7), (40, 9), (9, 40), (300, 300), (2000, 120), (120, 2000)])
  func factorsMatrices(rows: Int, columns: Int) {
    var random = SeededGenerator(seed: 21)
    let matrix = Matrix(rows: rows, columns: columns, elements: random.gaussians(rows * columns))
    let factor = OrthogonalFactor(matrix)
    let k = min(rows, columns)
    #expect(factor.orthonormal.rows == rows && factor.orthonormal.columns == k)
    #expect(factor.triangular.rows == k && factor.triangular.columns == columns)
    let product = factor.orthonormal.multiplied(by: factor.triangular)
    #expect(relativeError(product.elements, matrix.elements) < 1e-14 * Double(20 + k))
    #expect(departureFromIdentity(factor.orthonormal.multiplied(.transposed, by: factor.orthonormal)) < 1e-13)
    for row in 0..<k {
      for column in 0..<min(row, columns) { #expect(factor.triangular[row, column] == 0) }
    }
  }

  /// By hand: the first column is (3, 4), so R begins with 5 and what is left of (1, 2) is 0.4 long.
  @Test func isThatOfTheTextbook() {
    let factor = OrthogonalFactor(Matrix(rows: 2, columns: 2, elements: [3.0, 1, 4, 2]))
    let r = factor.triangular
    #expect(abs(abs(r[0, 0]) - 5) < 1e-14 && abs(r[0, 0] * r[0, 1] - 11) < 1e-13 && abs(abs(r[1, 1]) - 0.4) < 1e-14)
  }

  @Test func columnsAreOrthonormalWithoutFullRank() {
    var random = SeededGenerator(seed: 22)
    let thin = Matrix(rows: 50, columns: 3, elements: random.gaussians(150))
    let matrix = thin.multiplied(by: Matrix(rows: 3, columns: 10, elements: random.gaussians(30)))
    for matrix in [matrix, Matrix(rows: 50, columns: 10)] {
      let factor = OrthogonalFactor(matrix)
      #expect(departureFromIdentity(factor.orthonormal.multiplied(.transposed, by: factor.orthonormal)) < 1e-13)
      #expect(relativeError(factor.orthonormal.multiplied(by: factor.triangular).elements, matrix.elements) < 1e-14)
    }
  }

  @Test(arguments: [(0, 0), (0, 3), (3, 0)]) func emptyMatrix(rows: Int, columns: Int) {
    let factor = OrthogonalFactor(Matrix(rows: rows, columns: columns))
    #expect(factor.orthonormal.rows == rows && factor.orthonormal.columns == 0)
    #expect(factor.triangular.rows == 0 && factor.triangular.columns == columns)
  }
}

/// The largest element of M - I.
func departureFromIdentity(_ matrix: Matrix<Double>) -> Double {
  var largest = 0.0
  for row in 0..<matrix.rows {
    for column in 0..<matrix.columns { largest = max(largest, abs(matrix[row, column] - (row == column ? 1 : 0))) }
  }
  return largest
}
