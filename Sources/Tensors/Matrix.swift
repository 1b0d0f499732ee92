import Foundation

/// A dense matrix, row-major, in one 64-byte aligned allocation; copied on write.
///
/// Element access through `subscript(row, column)` is checked only in debug builds; kernels take a pointer with
/// `withUnsafePointer` or `withUnsafeMutablePointer`.
@frozen
public struct Matrix<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {
  public let rows: Int
  public let columns: Int
  @usableFromInline
  var storage: AlignedStorage<Element>

  /// A matrix whose elements are not set.
  @inlinable
  public init(uninitializedRows rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0)
    self.rows = rows
    self.columns = columns
    self.storage = AlignedStorage(count: rows * columns)
  }

  @inlinable
  public init(rows: Int, columns: Int, repeating value: Element) {
    self.init(uninitializedRows: rows, columns: columns)
    storage.base.initialize(repeating: value, count: rows * columns)
  }

  /// Row-major `elements`, `rows * columns` of them.
  @inlinable
  public init(rows: Int, columns: Int, elements: some Collection<Element>) {
    self.init(uninitializedRows: rows, columns: columns)
    precondition(elements.count == rows * columns, "a matrix needs rows * columns elements")
    _ = UnsafeMutableBufferPointer(start: storage.base, count: rows * columns).initialize(from: elements)
  }

  @inlinable
  public var count: Int { rows * columns }

  @inlinable
  public subscript(row: Int, column: Int) -> Element {
    get {
      assert(row >= 0 && row < rows && column >= 0 && column < columns)
      return storage.base[row * columns + column]
    }
    set {
      assert(row >= 0 && row < rows && column >= 0 && column < columns)
      makeUnique()
      storage.base[row * columns + column] = newValue
    }
  }

  /// The elements, row-major.
  @inlinable
  public var elements: [Element] {
    Array(UnsafeBufferPointer(start: storage.base, count: count))
  }

  /// One row, copied.
  @inlinable
  public func row(_ index: Int) -> [Element] {
    precondition(index >= 0 && index < rows)
    return Array(UnsafeBufferPointer(start: storage.base + index * columns, count: columns))
  }

  @inlinable
  public func withUnsafePointer<Result, Failure: Error>(
    _ body: (UnsafePointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafePointer(storage.base))
  }

  @inlinable
  public mutating func withUnsafeMutablePointer<Result, Failure: Error>(
    _ body: (UnsafeMutablePointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    makeUnique()
    return try body(storage.base)
  }

  @inlinable
  mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&storage) {
      let copy = AlignedStorage<Element>(count: count)
      copy.base.update(from: storage.base, count: count)
      storage = copy
    }
  }
}

extension Matrix where Element: Equatable {
  /// Same shape and equal elements.
  @inlinable
  public static func == (left: Self, right: Self) -> Bool {
    left.rows == right.rows && left.columns == right.columns && left.elements == right.elements
  }
}

extension Matrix where Element: AdditiveArithmetic {
  @inlinable
  public init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, repeating: .zero)
  }
}

extension Matrix {
  /// The transpose, copied.
  @inlinable
  public func transposed() -> Matrix {
    var result = Matrix(uninitializedRows: columns, columns: rows)
    let (rows, columns) = (self.rows, self.columns)
    withUnsafePointer { source in
      result.withUnsafeMutablePointer { destination in
        // Blocks, so that neither side strides through memory a cache line at a time.
        for rowBlock in stride(from: 0, to: rows, by: 16) {
          for columnBlock in stride(from: 0, to: columns, by: 16) {
            for row in rowBlock..<min(rowBlock + 16, rows) {
              for column in columnBlock..<min(columnBlock + 16, columns) {
                destination[column * rows + row] = source[row * columns + column]
              }
            }
          }
        }
      }
    }
    return result
  }

  /// The rows at `indices`, in that order, copied.
  @inlinable
  public func rows(at indices: [Int]) -> Matrix {
    var result = Matrix(uninitializedRows: indices.count, columns: columns)
    let (rows, columns) = (self.rows, self.columns)
    withUnsafePointer { source in
      result.withUnsafeMutablePointer { destination in
        for (position, index) in indices.enumerated() {
          precondition(index >= 0 && index < rows)
          (destination + position * columns).update(from: source + index * columns, count: columns)
        }
      }
    }
    return result
  }
}

/// The allocation behind a `Matrix`, or one that kernels share: its elements are not set.
@usableFromInline
package final class AlignedStorage<Element: BitwiseCopyable> {
  @usableFromInline
  package let base: UnsafeMutablePointer<Element>

  @inlinable
  package init(count: Int) {
    let bytes = allocateAligned(byteCount: max(count, 1) * MemoryLayout<Element>.stride)
    base = bytes.bindMemory(to: Element.self, capacity: count)
  }

  deinit {
    UnsafeMutableRawPointer(base).deallocate()
  }
}

/// Memory for a matrix, 64-byte aligned; large ones on huge pages where the system has them: to touch 4 KiB pages for
/// the first time costs as much as to convert the weights that go into them.
@usableFromInline
func allocateAligned(byteCount: Int) -> UnsafeMutableRawPointer {
  let hugePage = 1 << 21
  guard byteCount >= 4 * hugePage else { return .allocate(byteCount: byteCount, alignment: 64) }
  let bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: hugePage)
  #if os(Linux)
    // If it is refused, the pages are of the usual size.
    _ = madvise(bytes, byteCount / hugePage * hugePage, MADV_HUGEPAGE)
  #endif
  return bytes
}
