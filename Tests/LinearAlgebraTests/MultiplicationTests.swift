import Tensors
import TestSupport
import Testing

@testable import LinearAlgebra

@Suite struct MultiplicationTests {
  /// An operand in a wider allocation: rows x columns as oriented, its stored rows `padding` elements longer than need
  /// be.
  private struct Operand {
    let rows: Int
    let columns: Int
    let orientation: Orientation
    let stride: Int
    let stored: [Float]

    init(_ rows: Int, _ columns: Int, _ orientation: Orientation, padding: Int, using random: inout SeededGenerator) {
      self.rows = rows
      self.columns = columns
      self.orientation = orientation
      let (storedRows, storedColumns) = orientation == .asStored ? (rows, columns) : (columns, rows)
      stride = storedColumns + padding
      // Between the rows stands what would show if it were read.
      var stored = [Float](repeating: .nan, count: storedRows * stride)
      for row in 0..<storedRows {
        for column in 0..<storedColumns { stored[row * stride + column] = Float(random.gaussian()) }
      }
      self.stored = stored
    }

    subscript(row: Int, column: Int) -> Double {
      Double(orientation == .asStored ? stored[row * stride + column] : stored[column * stride + row])
    }
  }

  private static func reference(_ a: Operand, _ b: Operand) -> [Double] {
    var result = [Double](repeating: 0, count: a.rows * b.columns)
    for row in 0..<a.rows {
      for inner in 0..<a.columns {
        let factor = a[row, inner]
        for column in 0..<b.columns { result[row * b.columns + column] += factor * b[inner, column] }
      }
    }
    return result
  }

  /// The product, from `initial` everywhere, rows of the result `padding` elements longer than need be.
  private func product(_ a: Operand, _ b: Operand, padding: Int = 0, initial: Float = .nan, beta: Float = 0) -> [Float]
  {
    let stride = b.columns + padding
    var result = [Float](repeating: initial, count: a.rows * stride)
    result.withUnsafeMutableBufferPointer {
      multiply(
        rows: a.rows, columns: b.columns, inner: a.columns, a.stored, a.stride, a.orientation, b.stored, b.stride,
        b.orientation, into: $0.baseAddress!, stride, beta: beta)
    }
    for row in 0..<a.rows {
      for column in b.columns..<stride {
        let value = result[row * stride + column]
        #expect(value.bitPattern == initial.bitPattern, "an element beside the result was written")
      }
    }
    return (0..<a.rows).flatMap { result[$0 * stride..<$0 * stride + b.columns] }
  }

  @Test(arguments: [1, 2, 17, 300], [(1, 1), (16, 7), (33, 64), (130, 257)])
  func everyOrientation(rows: Int, extents: (columns: Int, inner: Int)) {
    var random = SeededGenerator(seed: 4)
    for orientation in [Orientation.asStored, .transposed] {
      for otherOrientation in [Orientation.asStored, .transposed] {
        for padding in [0, 3] {
          let a = Operand(rows, extents.inner, orientation, padding: padding, using: &random)
          let b = Operand(extents.inner, extents.columns, otherOrientation, padding: 2 * padding, using: &random)
          let expected = Self.reference(a, b)
          // The result starts as NaN: with beta = 0 what was there does not matter.
          let found = product(a, b, padding: padding)
          #expect(relativeError(found.map(Double.init), expected) < 1e-6)
          let added = product(a, b, padding: padding, initial: 2, beta: 1)
          #expect(relativeError(added.map(Double.init), expected.map { $0 + 2 }) < 1e-6)
          let scaled = product(a, b, padding: padding, initial: 2, beta: -0.5)
          #expect(relativeError(scaled.map(Double.init), expected.map { $0 - 1 }) < 1e-6)
        }
      }
    }
  }

  @Test(arguments: [1, 2, 17]) func emptySumsAreZero(rows: Int) {
    var random = SeededGenerator(seed: 5)
    for orientation in [Orientation.asStored, .transposed] {
      for otherOrientation in [Orientation.asStored, .transposed] {
        let a = Operand(rows, 0, orientation, padding: 0, using: &random)
        let b = Operand(0, 5, otherOrientation, padding: 0, using: &random)
        #expect(product(a, b) == Array(repeating: 0, count: rows * 5))
        #expect(product(a, b, padding: 1, initial: 3, beta: 2) == Array(repeating: 6, count: rows * 5))
      }
    }
    let single = Matrix<Float>(rows: rows, columns: 0).multiplied(by: Matrix<Float>(rows: 0, columns: 4))
    #expect(single == Matrix(rows: rows, columns: 4))
    let double = Matrix<Double>(rows: rows, columns: 0).multiplied(by: Matrix<Double>(rows: 0, columns: 4))
    #expect(double == Matrix(rows: rows, columns: 4))
    #expect(Matrix<Float>(rows: 0, columns: 3).multiplied(by: Matrix<Float>(rows: 3, columns: 2)).count == 0)
  }

  /// Shapes that are split: over columns, over rows, and so that the last share is a single row.
  @Test(arguments: [
    (1, 4096, 1024), (3, 2048, 512), (17, 8, 20000), (33, 16, 20000), (49, 32, 10000), (257, 256, 512),
    (300, 64, 2048), (64, 300, 2048), (65, 65, 4096),
  ]) func anyNumberOfThreads(rows: Int, columns: Int, inner: Int) {
    var random = SeededGenerator(seed: 6)
    for orientation in [Orientation.asStored, .transposed] {
      let a = Operand(rows, inner, .asStored, padding: 0, using: &random)
      let b = Operand(inner, columns, orientation, padding: 0, using: &random)
      let alone = Threads.withCount(1) { product(a, b) }
      for threads in [1, 2, 3, 64] {
        let together = Threads.withCount(threads) { product(a, b) }
        #expect(relativeError(together.map(Double.init), alone.map(Double.init)) < 2e-6)
        let again = Threads.withCount(threads) { product(a, b) }
        #expect(together == again, "\(threads) threads do not repeat themselves")
      }
    }
  }

  @Test func matricesOfBothTypes() {
    var random = SeededGenerator(seed: 7)
    for orientation in [Orientation.asStored, .transposed] {
      for otherOrientation in [Orientation.asStored, .transposed] {
        let a = Operand(19, 23, orientation, padding: 0, using: &random)
        let b = Operand(23, 11, otherOrientation, padding: 0, using: &random)
        let (left, right) = (matrix(a), matrix(b))
        let expected = Self.reference(a, b)
        let single = left.multiplied(orientation, by: right, otherOrientation)
        #expect(relativeError(single.elements.map(Double.init), expected) < 1e-6)
        let double = left.widened().multiplied(orientation, by: right.widened(), otherOrientation)
        #expect(relativeError(double.elements, expected) < 1e-14)
        #expect(double.rows == 19 && double.columns == 11)
      }
    }
  }

  private func matrix(_ operand: Operand) -> Matrix<Float> {
    Matrix(rows: operand.stored.count / operand.stride, columns: operand.stride, elements: operand.stored)
  }

  @Test func frobeniusNorm() {
    #expect(Matrix<Double>(rows: 2, columns: 2, elements: [1, -3, 5, 1]).frobeniusNorm == 6)
    #expect(Matrix<Double>(rows: 0, columns: 2).frobeniusNorm == 0)
    // The squares would overflow.
    #expect(abs(Matrix<Double>(rows: 1, columns: 2, elements: [3e200, 4e200]).frobeniusNorm / 5e200 - 1) < 1e-15)
  }
}
