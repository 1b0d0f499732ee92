import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

@Suite struct SingularValueTests {
  @Test(arguments: [(1, 1), (6, 1), (1, 6), (8, 8), (60, 11), (11, 60), (200, 200), (900, 150)])
  func decomposesMatrices(rows: Int, columns: Int) throws {
    var random = SeededGenerator(seed: 23)
    let matrix = Matrix(rows: rows, columns: columns, elements: random.gaussians(rows * columns))
    let found = try SingularValueDecomposition(matrix)
    let k = min(rows, columns)
    #expect(found.left.rows == rows && found.left.columns == k && found.values.count == k)
    #expect(found.right.rows == k && found.right.columns == columns)
    #expect(departureFromIdentity(found.left.multiplied(.transposed, by: found.left)) < 1e-12)
    #expect(departureFromIdentity(found.right.multiplied(by: found.right, .transposed)) < 1e-12)
    #expect(found.values.allSatisfy { $0 >= 0 } && zip(found.values, found.values.dropFirst()).allSatisfy(>=))
    var scaled = found.right
    for row in 0..<k {
      for column in 0..<columns { scaled[row, column] *= found.values[row] }
    }
    #expect(relativeError(found.left.multiplied(by: scaled).elements, matrix.elements) < 1e-13)
    #expect(relativeError(try SingularValueDecomposition.values(of: matrix), found.values) < 1e-13)
  }

  /// Singular values that are known: Q1 diag(s) Q2^T, over sixteen orders of magnitude.
  @Test func findsTheValuesThatWereBuiltIn() throws {
    var random = SeededGenerator(seed: 24)
    let values = [1e8, 3, 3, 0.5, 1e-6, 0]
    let left = OrthogonalFactor(Matrix(rows: 30, columns: 6, elements: random.gaussians(180))).orthonormal
    var right = OrthogonalFactor(Matrix(rows: 20, columns: 6, elements: random.gaussians(120))).orthonormal.transposed()
    for row in 0..<6 {
      for column in 0..<20 { right[row, column] *= values[row] }
    }
    let found = try SingularValueDecomposition.values(of: left.multiplied(by: right))
    #expect(found.count == 20)
    // Every value is known as well as the largest one's rounding lets it be.
    for (index, value) in found.enumerated() { #expect(abs(value - (index < 6 ? values[index] : 0)) < 1e-6) }
  }

  @Test(arguments: [Double.nan, .infinity]) func whatIsNotFiniteHasNone(value: Double) {
    var random = SeededGenerator(seed: 25)
    var matrix = Matrix(rows: 40, columns: 30, elements: random.gaussians(1200))
    matrix[17, 3] = value
    #expect(throws: SingularValueDecomposition.NotConverged()) { try SingularValueDecomposition(matrix) }
    #expect(throws: SingularValueDecomposition.NotConverged()) { try SingularValueDecomposition.values(of: matrix) }
  }

  @Test(arguments: [(0, 0), (0, 3), (3, 0)]) func emptyMatrix(rows: Int, columns: Int) throws {
    let found = try SingularValueDecomposition(Matrix(rows: rows, columns: columns))
    #expect(found.values.isEmpty && found.left.rows == rows && found.right.columns == columns)
  }
}
