import Foundation

/// A tensor's elements cut into runs of equal length, the last one shorter: the unit of work of one thread, and of the
/// undo record.
struct Chunks: Equatable, Sendable {
  let elementCount: Int
  let chunkLength: Int

  /// No chunk is longer, so that a thread's memory is bounded: 8 MiB for a chunk's change.
  static let longest = 1 << 20
  private static let usual = 1 << 17

  init(elementCount: Int, chunkLength: Int) {
    precondition(elementCount >= 0 && (1...Self.longest).contains(chunkLength))
    self.elementCount = elementCount
    self.chunkLength = chunkLength
  }

  /// Whole rows, a multiple of four where rows are not too long, as the kernel likes them.
  init(rows: Int, columns: Int) {
    let rowsPerChunk = max(4, Self.usual / max(columns, 1) & ~3)
    let (length, overflow) = rowsPerChunk.multipliedReportingOverflow(by: max(columns, 1))
    self.init(elementCount: rows * columns, chunkLength: overflow ? Self.longest : min(length, Self.longest))
  }

  var count: Int { (elementCount + chunkLength - 1) / chunkLength }

  /// The elements of chunk `index`.
  subscript(index: Int) -> Range<Int> {
    index * chunkLength..<min((index + 1) * chunkLength, elementCount)
  }
}

/// Runs `body` for every index on all processors and returns the results in order.
///
/// - Throws: the error of the lowest index that failed.
public func concurrentMap<Value: Sendable>(_ indices: Range<Int>, _ body: @Sendable (Int) throws -> Value) throws
  -> [Value]
{
  var results: [Result<Value, any Error>?] = Array(repeating: nil, count: indices.count)
  results.withUnsafeMutableBufferPointer { slots in
    nonisolated(unsafe) let slots = slots
    DispatchQueue.concurrentPerform(iterations: indices.count) { position in
      slots[position] = Result { try body(indices.lowerBound + position) }
    }
  }
  return try results.map { try $0!.get() }
}
