import COpenBLAS
import Dispatch
import Foundation
import Synchronization
import Tensors

/// How many threads the numeric code uses, and who starts them.
///
/// There is one layer of parallelism. Float32 products and element-wise operators split their rows or columns here and
/// call single-threaded BLAS, so that BLAS's waiting threads do not compete with ours. Only the few large binary64
/// factorizations run on BLAS's own threads.
///
/// The same number of threads gives the same bits. Another number cuts products elsewhere, and BLAS adds in another order
/// near the edges of what it is given, so the last bits of a product may differ.
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
    openblas_set_num_threads(1)
    return chosen
  }

  /// Runs `body` with another number of threads, as far as this task is concerned: tests compare results.
  static func withCount<Result>(_ threads: Int, _ body: () throws -> Result) rethrows -> Result {
    _ = count
    return try $overriding.withValue(threads, operation: body)
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
    DispatchQueue.concurrentPerform(iterations: parts) { part in
      body(count * part / parts..<count * (part + 1) / parts)
    }
  }

  /// Runs `body` for every index of `0..<count`, each as a task of its own.
  public static func forEach(_ count: Int, _ body: @Sendable (Int) -> Void) {
    if self.count == 1 || count <= 1 {
      for index in 0..<count { body(index) }
    } else {
      DispatchQueue.concurrentPerform(iterations: count, execute: body)
    }
  }

  /// Runs `body` over consecutive parts of `0..<count`, in parallel if they are worth it: of multiples of 16, which products'
  /// rows and columns like.
  ///
  /// - Parameter cost: how many multiply-adds one item takes.
  public static func forShares(_ count: Int, cost: Int, _ body: @Sendable (Range<Int>) -> Void) {
    let smallestShare = 1 << 21  // multiply-adds: below this a thread costs more than it brings
    let blockSize = 16
    forRanges((count + blockSize - 1) / blockSize, grain: max(1, smallestShare / max(1, cost * blockSize))) { blocks in
      body(blocks.lowerBound * blockSize..<min(blocks.upperBound * blockSize, count))
    }
  }

  /// Runs `body`, a phase of the profile, with BLAS's own threads if it is long enough to gain by them.
  ///
  /// - Parameter operations: how many `body` takes, two for each multiply-add.
  static func runBLAS(_ phase: String, operations: Int, _ body: () -> Void) {
    Profile.measure(phase) {
      Profile.count(operations: operations)
      withBLASThreads(multiplyAdds: operations / 2, body)
    }
  }

  /// Lets BLAS use its own threads while `body` runs, if it is long enough to gain by them.
  ///
  /// BLAS's number of threads is one for the process, and float32 products that run meanwhile see it: short work leaves
  /// it alone.
  ///
  /// - Parameter multiplyAdds: how many `body` takes.
  static func withBLASThreads<Result>(multiplyAdds: Int, _ body: () -> Result) -> Result {
    let threads = count
    guard multiplyAdds >= 1 << 27, threads > 1 else { return body() }
    openblas_set_num_threads(Int32(threads))
    defer { openblas_set_num_threads(1) }
    return body()
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
