import Tensors
import TestSupport
import Testing

@Suite struct MatrixTests {
  @Test func copiesOnWrite() {
    let original = Matrix<Float>(rows: 2, columns: 2, elements: [1, 2, 3, 4])
    var copy = original
    copy[0, 1] = 7
    #expect(original.elements == [1, 2, 3, 4])
    #expect(copy.elements == [1, 7, 3, 4])
    var another = copy
    another.withUnsafeMutablePointer { $0[3] = 9 }
    #expect(copy.elements == [1, 7, 3, 4])
    #expect(another.elements == [1, 7, 3, 9])
    #expect(another.row(1) == [3, 9])
  }

  @Test func writesInPlaceWhenAlone() {
    var matrix = Matrix<Double>(rows: 3, columns: 3)
    let before = matrix.withUnsafePointer { Int(bitPattern: $0) }
    matrix[1, 1] = 5
    #expect(matrix.withUnsafePointer { Int(bitPattern: $0) } == before)
    #expect(before % 64 == 0)
  }

  @Test(arguments: [(0, 0), (0, 5), (5, 0), (1, 1), (1, 37), (37, 1), (16, 16), (17, 33), (48, 15)])
  func transposes(rows: Int, columns: Int) {
    let matrix = Matrix(rows: rows, columns: columns, elements: (0..<rows * columns).map(Double.init))
    let transpose = matrix.transposed()
    #expect(transpose.rows == columns && transpose.columns == rows)
    for row in 0..<rows {
      for column in 0..<columns { #expect(transpose[column, row] == matrix[row, column]) }
    }
    #expect(transpose.transposed() == matrix)
  }

  @Test func picksRows() {
    let matrix = Matrix<Int32>(rows: 3, columns: 2, elements: [1, 2, 3, 4, 5, 6])
    #expect(matrix.rows(at: [2, 0, 2]) == Matrix(rows: 3, columns: 2, elements: [5, 6, 1, 2, 5, 6]))
    #expect(matrix.rows(at: []).rows == 0)
    #expect(matrix.rows(at: []).columns == 2)
  }

  @Test func equalityComparesShapes() {
    let flat = Matrix<Float>(rows: 1, columns: 4, elements: [1, 2, 3, 4])
    #expect(!(flat == Matrix(rows: 2, columns: 2, elements: [1, 2, 3, 4])))
    #expect(!(flat == Matrix(rows: 1, columns: 4, elements: [1, 2, 3, 5])))
    #expect(!(Matrix<Float>(rows: 0, columns: 3) == Matrix(rows: 3, columns: 0)))
    #expect(flat == Matrix(rows: 1, columns: 4, elements: [1, 2, 3, 4]))
  }

  @Test func widensExactlyAndNarrowsToNearest() {
    let single = Matrix<Float>(rows: 1, columns: 3, elements: [0.1, -.leastNonzeroMagnitude, .infinity])
    #expect(single.widened().elements == [Double(Float(0.1)), -Double(Float.leastNonzeroMagnitude), .infinity])
    // Ties to even, in both directions.
    let double = Matrix<Double>(rows: 1, columns: 3, elements: [1 + 0x1p-24, 1 + 0x3p-24, 1e39])
    #expect(double.narrowed().elements == [1, 1 + 0x1p-22, .infinity])
  }
}
