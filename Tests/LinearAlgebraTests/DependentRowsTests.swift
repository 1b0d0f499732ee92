import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct DependentRowsTests {
  private func gram(_ keys: Matrix<Double>) -> Matrix<Double> { keys.multiplied(by: keys, .transposed) }

  @Test func independentKeys() {
    var random = SeededGenerator(seed: 14)
    let keys = Matrix(rows: 12, columns: 20, elements: random.gaussians(240))
    #expect(dependentRows(of: gram(keys), tolerance: 1e-10) == [])
  }

  @Test func repeatedKeys() {
    var random = SeededGenerator(seed: 15)
    let keys = Matrix(rows: 6, columns: 20, elements: random.gaussians(120))
    let repeated = keys.rows(at: [0, 1, 2, 1, 3, 4, 0, 5])
    let found = dependentRows(of: gram(repeated), tolerance: 1e-10)
    #expect(found.count == 2)
    // One of each pair; rounding decides which.
    #expect(Set(found).intersection([1, 3]).count == 1 && Set(found).intersection([0, 6]).count == 1)
    let rest = repeated.rows(at: (0..<8).filter { !found.contains($0) })
    #expect(dependentRows(of: gram(rest), tolerance: 1e-10) == [])
  }

  @Test func moreKeysThanDimensions() {
    var random = SeededGenerator(seed: 16)
    let keys = Matrix(rows: 90, columns: 70, elements: random.gaussians(6300))
    let found = dependentRows(of: gram(keys), tolerance: 1e-10)
    #expect(found.count == 20)
    #expect(found == found.sorted() && Set(found).count == 20)
  }

  @Test func zeroAndNotANumber() {
    #expect(dependentRows(of: Matrix(rows: 3, columns: 3), tolerance: 1e-10) == [0, 1, 2])
    #expect(dependentRows(of: Matrix(rows: 1, columns: 1, elements: [2]), tolerance: 1e-10) == [])
    var zeroRow = Matrix<Double>(rows: 3, columns: 3)
    zeroRow[0, 0] = 1
    zeroRow[2, 2] = 4
    #expect(dependentRows(of: zeroRow, tolerance: 1e-10) == [1])
  }
}
