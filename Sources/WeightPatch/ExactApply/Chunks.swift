import Foundation

/// A tensor's elements cut into runs of equal length, the last one shorter: the unit of work of one thread, and of the
/// undo record.
struct Chunks: Equatable, Sendable {
  let elementCount: Int
  let chunkLength: Int

  /// No chunk is longer, so that a thread's memory is bounded: 8 MiB for a chunk's change.
  static let longest = 1 << 20
  private static let usual = 1 << 17
  private static let usualRows = 32

  init(elementCount: Int, chunkLength: Int) {
    precondition(elementCount >= 0 && (1...Self.longest).contains(chunkLength))
    self.elementCount = elementCount
    self.chunkLength = chunkLength
  }

  /// Whole rows, where rows are not too long: a multiple of four, as the kernel likes them, and at least so many that it has
  /// little to convert for each.
  init(rows: Int, columns: Int) {
    let width = max(columns, 1)
    let rowsPerChunk = max(4, max(Self.usual / width, min(Self.usualRows, Self.longest / width)) & ~3)
    let (length, overflow) = rowsPerChunk.multipliedReportingOverflow(by: width)
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
/// - Parameter tasks: run once each, at the same time.
/// - Throws: the error of the first task that failed, else of the lowest index.
public func concurrentMap<Value: Sendable>(
  _ indices: Range<Int>, beside tasks: [() throws -> Void] = [], _ body: @Sendable (Int) throws -> Value
) throws -> [Value] {
  var failures: [(any Error)?] = Array(repeating: nil, count: tasks.count)
  var results: [Result<Value, any Error>?] = Array(repeating: nil, count: indices.count)
  failures.withUnsafeMutableBufferPointer { failures in
    results.withUnsafeMutableBufferPointer { slots in
      // Every task is run, and every place written, by one thread.
      nonisolated(unsafe) let (failures, slots, tasks) = (failures, slots, tasks)
      DispatchQueue.concurrentPerform(iterations: tasks.count + indices.count) { position in
        if position < tasks.count {
          do { try tasks[position]() } catch { failures[position] = error }
        } else {
          let index = position - tasks.count
          slots[index] = Result { try body(indices.lowerBound + index) }
        }
      }
    }
  }
  for case let failure? in failures { throw failure }
  return try results.map { try $0!.get() }
}
