import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

@Suite struct PackedTriangleTests {
  /// Even and odd, down to those whose second half is empty.
  private static let sizes = [1, 2, 3, 8, 31]

  private func symmetric(_ size: Int) -> Matrix<Double> {
    var random = SeededGenerator(seed: 15)
    var matrix = Matrix(rows: size, columns: size, elements: random.gaussians(size * size))
    for row in 0..<size {
      for column in 0..<row { matrix[column, row] = matrix[row, column] }
    }
    return matrix
  }

  @Test(arguments: sizes) func everyElementHasAPlace(size: Int) {
    let matrix = symmetric(size)
    let triangle = PackedTriangle(lowerTriangleOf: matrix)
    #expect(triangle.elements.count == size * (size + 1) / 2 && triangle.byteCount == 8 * triangle.elements.count)
    for row in 0..<size {
      for column in 0...row { #expect(triangle[row, column] == matrix[row, column]) }
    }
    #expect(triangle.diagonal == (0..<size).map { matrix[$0, $0] })
    #expect(triangle.rows(0..<size) == matrix)
    #expect(triangle.rows(size - 1..<size).elements == matrix.row(size - 1))
    var set = PackedTriangle(size: size)
    set.setRows { row, columns, target in
      for (offset, column) in columns.enumerated() { target[offset] = matrix[row, column] }
    }
    #expect(set.elements == triangle.elements)
  }

  @Test(arguments: sizes) func sums(size: Int) {
    let matrix = symmetric(size)
    var triangle = PackedTriangle(lowerTriangleOf: matrix)
    triangle.add(toDiagonal: 2)
    triangle.add(PackedTriangle(lowerTriangleOf: matrix), times: 3)
    for row in 0..<size {
      for column in 0...row {
        #expect(abs(triangle[row, column] - 4 * matrix[row, column] - (row == column ? 2 : 0)) < 1e-13)
      }
    }
    let columns = (0..<size).map { column in (0..<size).reduce(0) { $0 + abs(matrix[$1, column]) } }
    #expect(abs(PackedTriangle(lowerTriangleOf: matrix).oneNorm - columns.max()!) < 1e-12)
  }

  @Test(arguments: sizes) func products(size: Int) {
    var random = SeededGenerator(seed: 16)
    let matrix = symmetric(size)
    for rows in [0, 1, 5] {
      let left = Matrix(rows: rows, columns: size, elements: random.gaussians(rows * size))
      let found = PackedTriangle(lowerTriangleOf: matrix).product(ofRows: left)
      #expect(found.rows == rows && relativeError(found.elements, left.multiplied(by: matrix).elements) < 1e-14)
    }
  }

  @Test(arguments: sizes) func outerProducts(size: Int) {
    var random = SeededGenerator(seed: 8)
    let count = 37
    let keys = random.gaussians(count * size)
    var sum = PackedTriangle(lowerTriangleOf: Matrix(rows: size, columns: size, repeating: 1))
    sum.addOuterProducts(ofRows: keys, count: count)
    sum.addOuterProducts(ofRows: keys, count: 0)
    sum.addOuterProducts(ofRows: keys, count: 3)
    var expected = Matrix<Double>(rows: size, columns: size, repeating: 1)
    for row in Array(0..<count) + Array(0..<3) {
      for i in 0..<size {
        for j in 0..<size { expected[i, j] += keys[row * size + i] * keys[row * size + j] }
      }
    }
    #expect(relativeError(sum.rows(0..<size).elements, expected.elements) < 1e-14)
  }

  @Test func nothing() {
    let triangle = PackedTriangle(size: 0)
    #expect(triangle.diagonal == [] && triangle.oneNorm == 0 && triangle.rows(0..<0).count == 0)
    #expect(triangle.product(ofRows: Matrix(rows: 2, columns: 0)).count == 0)
  }
}
