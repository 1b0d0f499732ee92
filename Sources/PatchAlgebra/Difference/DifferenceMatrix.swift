import Foundation
import LinearAlgebra
import Safetensors
import Tensors

/// D = W' - W of two stored matrices of one dtype and shape, in binary64, where it is exact. It is computed from the
/// mapped files a few rows at a time, and never held as a whole: a product with it reads both tensors once.
struct DifferenceMatrix {
  let before: StoredTensor
  let after: StoredTensor
  let rows: Int
  let columns: Int
  /// The element of the tensors that is the matrix's first.
  private let start: Int

  private static let elementsPerBlock = 1 << 20
  private static let elementsInCache = 1 << 13

  /// - Precondition: both have the same weight type and the same shape. What is no matrix counts as one row.
  init(from before: StoredTensor, to after: StoredTensor) {
    precondition(before.dtype == after.dtype && before.shape == after.shape && before.dtype.isWeightType)
    self.before = before
    self.after = after
    let extents = before.shape.extents
    (rows, columns) = extents.count == 2 ? (extents[0], extents[1]) : (1, before.info.elementCount)
    start = 0
  }

  private init(_ stack: DifferenceMatrix, start: Int, rows: Int, columns: Int) {
    (before, after) = (stack.before, stack.after)
    (self.start, self.rows, self.columns) = (start, rows, columns)
  }

  /// The matrices of a tensor of two dimensions or more, those of its last two; none of a vector. Layers of experts are
  /// stacks of matrices.
  var matrices: [DifferenceMatrix] {
    let extents = before.shape.extents
    guard extents.count > 2 else { return extents.count == 2 ? [self] : [] }
    let (rows, columns) = (extents[extents.count - 2], extents[extents.count - 1])
    guard rows * columns > 0 else { return [] }
    return stride(from: 0, to: before.info.elementCount, by: rows * columns).map {
      DifferenceMatrix(self, start: $0, rows: rows, columns: columns)
    }
  }

  /// Calls `body` with runs of elements, whole rows where they are not too long, and the values of both tensors.
  func forEachRun(
    _ body: (_ elements: Range<Int>, _ before: [Float], _ after: [Float]) throws -> Void
  ) rethrows {
    let perRun = min(max(Self.elementsPerBlock / max(columns, 1), 1) * columns, 4 * Self.elementsPerBlock)
    for start in stride(from: 0, to: rows * columns, by: max(perRun, 1)) {
      let elements = start..<min(start + perRun, rows * columns)
      let stored = start + self.start
      let place = stored..<stored + elements.count
      try body(elements, before.values(of: place), after.values(of: place))
    }
  }

  /// Calls `body` with blocks of rows of D, in order.
  private func forEachBlock(_ body: (_ rows: Range<Int>, _ difference: Matrix<Double>) throws -> Void) rethrows {
    let perBlock = max(Self.elementsPerBlock / max(columns, 1), 1)
    for start in stride(from: 0, to: rows, by: perBlock) {
      let block = start..<min(start + perBlock, rows)
      try body(block, self[block])
    }
  }

  /// Some rows of D.
  subscript(block: Range<Int>) -> Matrix<Double> {
    let elements = start + block.lowerBound * columns..<start + block.upperBound * columns
    var result = Matrix<Double>(uninitializedRows: block.count, columns: columns)
    result.withUnsafeMutablePointer { result in
      let result = Shared(result)
      Threads.forRanges(elements.count, grain: 1 << 16) { share in
        for start in stride(from: share.lowerBound, to: share.upperBound, by: Self.elementsInCache) {
          let part = start..<min(start + Self.elementsInCache, share.upperBound)
          let stored = elements.lowerBound + part.lowerBound..<elements.lowerBound + part.upperBound
          let (old, new) = (before.widened(stored), after.widened(stored))
          for index in part.indices {
            result.pointer[index] = Double(new[index - part.lowerBound]) - Double(old[index - part.lowerBound])
          }
        }
      }
    }
    before.release(elements)
    after.release(elements)
    return result
  }

  /// |A B - D|, Frobenius, element by element: from norms and products alone it would be the small rest of large
  /// numbers.
  func distance(to left: Matrix<Double>, _ right: Matrix<Double>) -> Double {
    var square = 0.0
    forEachBlock { rows, block in
      let norm = left.rows(at: Array(rows)).multiplied(by: right).subtracting(block).frobeniusNorm
      square += norm * norm
    }
    return square.squareRoot()
  }

  /// D X, for X of `columns` rows.
  func multiplied(by right: Matrix<Double>) -> Matrix<Double> {
    var parts: [Matrix<Double>] = []
    forEachBlock { _, block in parts.append(block.multiplied(by: right)) }
    return Matrix(stacking: parts, columns: right.columns)
  }

  /// D^T X, for X of `rows` rows.
  func transposedMultiplied(by right: Matrix<Double>) -> Matrix<Double> {
    var result = Matrix<Double>(rows: columns, columns: right.columns)
    forEachBlock { rows, block in
      result = result.adding(block.multiplied(.transposed, by: right.rows(at: Array(rows))), times: 1)
    }
    return result
  }
}

extension StoredTensor {
  /// Some elements in float32, where they are exact; the memory that maps them is let go.
  fileprivate func values(of elements: Range<Int>) -> [Float] {
    let values = widened(elements)
    release(elements)
    return values
  }

  fileprivate func widened(_ elements: Range<Int>) -> [Float] {
    let width = dtype.bitsPerElement / 8
    return [Float](unsafeUninitializedCapacity: elements.count) { buffer, count in
      widen(
        UnsafeRawBufferPointer(rebasing: bytes[elements.lowerBound * width..<elements.upperBound * width]),
        dtype: dtype, into: UnsafeMutableBufferPointer(rebasing: buffer[..<elements.count]))
      count = elements.count
    }
  }

  /// Lets go of the memory that maps some elements.
  func release(_ elements: Range<Int>) {
    let (start, width) = (info.fileRange.lowerBound, dtype.bitsPerElement / 8)
    file.release(start + elements.lowerBound * width..<start + elements.upperBound * width)
  }
}
