import Foundation
import Synchronization

/// How many threads a process uses, and who starts them: everything that runs in parallel goes through here.
///
/// There is one layer of parallelism: what runs on several threads does not start more. Work is split over rows,
/// columns, chunks or tensors, and BLAS, where a module has it, runs on the thread that calls it; the few large
/// binary64 factorizations alone run on BLAS's own threads (LinearAlgebra).
///
/// The same number of threads gives the same bits. Exact apply and digests give them with any number; where float32
/// products are cut elsewhere, BLAS adds in another order near the edges of what it is given, so that the last bits of
/// a product may differ.
public enum Threads {
  private static let configured = Atomic<Int>(0)
  @TaskLocal private static var overriding: Int?

  /// At least 1; from the environment variable `ERRATA_THREADS`, else the number of processors this process may use.
  public static var count: Int {
    if let overriding { return overriding }
    let value = configured.load(ordering: .relaxed)
    if value > 0 { return value }
    let environment = ProcessInfo.processInfo.environment["ERRATA_THREADS"].flatMap(Int.init)
    let chosen = max(1, min(environment ?? ProcessInfo.processInfo.activeProcessorCount, 256))
    configured.store(chosen, ordering: .relaxed)
    return chosen
  }

  /// Runs `body` with another number of threads, as far as this task is concerned: tests compare results.
  package static func withCount<Result>(_ threads: Int, _ body: () throws -> Result) rethrows -> Result {
    try $overriding.withValue(threads, operation: body)
  }

  /// Runs `body` over consecutive subranges of `0..<count`, in parallel if there are at least two times `grain` items.
  ///
  /// - Parameter grain: how many items are worth a thread of their own.
  public static func forRanges(_ count: Int, grain: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let parts = max(1, min(self.count, count / max(grain, 1)))
    if parts == 1 {
      if count > 0 { body(0..<count) }
      return
    }
    WorkerThreads.shared.perform(parts) { part in
      body(count * part / parts..<count * (part + 1) / parts)
    }
  }

  /// Runs `body` for every index of `0..<count`: each thread takes the next one when it is done with one.
  public static func forEach(_ count: Int, _ body: @Sendable (Int) -> Void) {
    let workers = min(self.count, count)
    if workers <= 1 {
      for index in 0..<count { body(index) }
      return
    }
    let next = Atomic(0)
    WorkerThreads.shared.perform(workers) { _ in
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body(index)
      }
    }
  }

  /// Runs `body` over consecutive parts of `0..<count`, in parallel if they are worth it: of multiples of 16, which
  /// products' rows and columns like.
  ///
  /// - Parameter cost: how many multiply-adds one item takes.
  public static func forShares(_ count: Int, cost: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let smallestShare = 1 << 21  // multiply-adds: below this a thread costs more than it brings
    let blockSize = 16
    forRanges((count + blockSize - 1) / blockSize, grain: max(1, smallestShare / max(1, cost * blockSize))) { blocks in
      body(blocks.lowerBound * blockSize..<min(blocks.upperBound * blockSize, count))
    }
  }

  /// The results of `body` for every index, in order.
  ///
  /// - Throws: the error of the lowest index that failed.
  public static func map<Value: Sendable>(
    _ indices: Range<Int>, _ body: @Sendable (Int) throws -> Value
  ) throws -> [Value] {
    var results: [Result<Value, any Error>?] = Array(repeating: nil, count: indices.count)
    results.withUnsafeMutableBufferPointer { slots in
      // Every place is written by one thread.
      nonisolated(unsafe) let slots = slots
      forEach(indices.count) { position in
        slots[position] = Result { try body(indices.lowerBound + position) }
      }
    }
    return try results.map { try $0!.get() }
  }
}

/// A pointer that crosses into parallel work. The caller sees to it that tasks write to disjoint elements.
public struct Shared<Pointer>: @unchecked Sendable {
  public let pointer: Pointer

  @inlinable
  public init(_ pointer: Pointer) {
    self.pointer = pointer
  }
}
