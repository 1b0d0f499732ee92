import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

@Suite struct CholeskyTests {
  /// A well-conditioned symmetric positive definite matrix: Q Q^T + size I.
  private func positiveDefinite(_ size: Int, using random: inout SeededGenerator) -> Matrix<Double> {
    let root = Matrix(rows: size, columns: size, elements: random.gaussians(size * size))
    var result = root.multiplied(by: root, .transposed)
    for index in 0..<size { result[index, index] += Double(size) }
    return result
  }

  @Test(arguments: [1, 2, 17, 200]) func solves(size: Int) throws {
    var random = SeededGenerator(seed: 9)
    let matrix = positiveDefinite(size, using: &random)
    let factor = try Cholesky(matrix)
    #expect(factor.size == size)
    for columns in [0, 1, 5, 33] {
      let solution = Matrix(rows: size, columns: columns, elements: random.gaussians(size * columns))
      let found = factor.solve(matrix.multiplied(by: solution))
      #expect(found.rows == size && found.columns == columns)
      #expect(relativeError(found.elements, solution.elements) < 1e-12)
      let left = solution.transposed()
      let foundLeft = factor.solveRight(left.multiplied(by: matrix))
      #expect(foundLeft.rows == columns && foundLeft.columns == size)
      #expect(relativeError(foundLeft.elements, left.elements) < 1e-12)
    }
  }

  @Test func readsTheLowerTriangle() throws {
    var random = SeededGenerator(seed: 10)
    let matrix = positiveDefinite(20, using: &random)
    var lower = matrix
    for row in 0..<20 {
      for column in row + 1..<20 { lower[row, column] = .nan }
    }
    let right = Matrix(rows: 20, columns: 3, elements: random.gaussians(60))
    #expect(try Cholesky(lower).solve(right) == Cholesky(matrix).solve(right))
  }

  @Test func emptyMatrix() throws {
    let factor = try Cholesky(Matrix<Double>(rows: 0, columns: 0))
    #expect(factor.solve(Matrix(rows: 0, columns: 3)).columns == 3)
    #expect(factor.reciprocalCondition(norm: 0) == 1)
    #expect(dependentRows(of: Matrix(rows: 0, columns: 0), tolerance: 1e-10) == [])
  }

  /// Large enough for the blocked algorithm too.
  @Test(arguments: [(3, 1), (3, 3), (40, 17), (300, 1), (300, 299)]) func tellsTheOrderOfTheMinor(size: Int, order: Int)
  {
    var random = SeededGenerator(seed: 11)
    var matrix = positiveDefinite(size, using: &random)
    matrix[order - 1, order - 1] = -1
    #expect(throws: Cholesky.NotPositiveDefinite(order: order)) { try Cholesky(matrix) }
    matrix[order - 1, order - 1] = .nan
    #expect(throws: Cholesky.NotPositiveDefinite(order: order)) { try Cholesky(matrix) }
  }

  @Test func notANumberOffTheDiagonalIsFound() {
    var random = SeededGenerator(seed: 12)
    var matrix = positiveDefinite(50, using: &random)
    matrix[30, 4] = .nan
    #expect(throws: Cholesky.NotPositiveDefinite(order: 31)) { try Cholesky(matrix) }
    matrix[30, 4] = .infinity
    #expect(throws: Cholesky.NotPositiveDefinite.self) { try Cholesky(matrix) }
  }

  @Test func zeroIsNotPositive() {
    #expect(throws: Cholesky.NotPositiveDefinite(order: 1)) { try Cholesky(Matrix<Double>(rows: 4, columns: 4)) }
  }

  @Test(arguments: [1, 2, 5, 40]) func theFactorTimesItsTransposeIsTheMatrix(size: Int) throws {
    var random = SeededGenerator(seed: 14)
    let matrix = positiveDefinite(size, using: &random)
    let factor = try Cholesky(matrix)
    var rows = Matrix<Double>(rows: size, columns: size)
    factor.forEachRow { for (column, value) in $0.enumerated() { rows[$0.count - 1, column] = value } }
    #expect(relativeError(rows.multiplied(by: rows, .transposed).elements, matrix.elements) < 1e-14)
    let pivots = (0..<size).map { rows[$0, $0] * rows[$0, $0] }
    #expect(factor.pivots == pivots)
    let vector = Matrix(rows: size, columns: 1, elements: random.gaussians(size))
    #expect(
      relativeError(factor.product(with: vector).elements, matrix.multiplied(by: vector).elements) < 1e-13)
  }

  @Test func conditionOfADiagonalMatrixIsExact() throws {
    var matrix = Matrix<Double>(rows: 3, columns: 3)
    for (index, value) in [2.0, 1e-6, 50].enumerated() { matrix[index, index] = value }
    let reciprocal = try Cholesky(matrix).reciprocalCondition(norm: 50)
    #expect(abs(reciprocal / (1e-6 / 50) - 1) < 1e-12)
  }

  @Test func conditionIsThatOfTheInverse() throws {
    var random = SeededGenerator(seed: 13)
    let size = 30
    let matrix = positiveDefinite(size, using: &random)
    let factor = try Cholesky(matrix)
    var identity = Matrix<Double>(rows: size, columns: size)
    for index in 0..<size { identity[index, index] = 1 }
    func norm(_ matrix: Matrix<Double>) -> Double {
      matrix.transposed().elements.indices.reduce(into: [Double](repeating: 0, count: size)) { sums, index in
        sums[index % size] += abs(matrix.elements[index])
      }.max()!
    }
    let exact = 1 / (norm(matrix) * norm(factor.solve(identity)))
    // The estimate never reports a matrix as worse than it is by much, nor as better than it is by more than a few
    // times.
    let estimate = factor.reciprocalCondition(norm: norm(matrix))
    #expect(estimate >= exact * (1 - 1e-10) && estimate < 4 * exact)
  }
}
