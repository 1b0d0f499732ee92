/// A tensor's elements cut into runs of equal length, the last one shorter: the unit of work of one thread, and of the
/// undo record.
package struct Chunks: Equatable, Sendable {
  package let elementCount: Int
  package let chunkLength: Int

  /// No chunk is longer, so that a thread's memory is bounded: 8 MiB for a chunk's change.
  package static let longest = 1 << 20
  private static let usual = 1 << 17
  private static let usualRows = 32

  package init(elementCount: Int, chunkLength: Int) {
    precondition(elementCount >= 0 && (1...Self.longest).contains(chunkLength))
    self.elementCount = elementCount
    self.chunkLength = chunkLength
  }

  /// Whole rows, where rows are not too long: a multiple of four, as the kernel likes them, and at least so many that
  /// it has little to convert for each.
  package init(rows: Int, columns: Int) {
    let width = max(columns, 1)
    let rowsPerChunk = max(4, max(Self.usual / width, min(Self.usualRows, Self.longest / width)) & ~3)
    let (length, overflow) = rowsPerChunk.multipliedReportingOverflow(by: width)
    self.init(elementCount: rows * columns, chunkLength: overflow ? Self.longest : min(length, Self.longest))
  }

  package var count: Int { (elementCount + chunkLength - 1) / chunkLength }

  /// The elements of chunk `index`.
  package subscript(index: Int) -> Range<Int> {
    index * chunkLength..<min((index + 1) * chunkLength, elementCount)
  }
}
