import Foundation
import Synchronization

/// Files that are copied by another thread, while this one computes.
final class BackgroundCopy: Sendable {
  private struct State {
    /// Since progress was last asked for.
    var copiedBytes = 0
    var isCancelled = false
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let isDone = DispatchSemaphore(value: 0)

  /// - Parameter files: pairs of source and destination.
  init(_ files: [(source: String, destination: String)], mode: CopyMode) {
    DispatchQueue.global().async { [self] in
      do {
        for file in files {
          try copyFile(from: file.source, to: file.destination, mode: mode) { count in
            let isCancelled = state.withLock { state in
              state.copiedBytes += count
              return state.isCancelled
            }
            if isCancelled { throw CancellationError() }
          }
        }
      } catch {
        state.withLock { $0.failure = error }
      }
      isDone.signal()
    }
  }

  /// How many bytes have come since this was last asked.
  func takeProgress() -> Int {
    state.withLock { state in
      defer { state.copiedBytes = 0 }
      return state.copiedBytes
    }
  }

  /// Waits for the end.
  ///
  /// - Parameter advance: is told now and then how many more bytes have come; may throw to stop.
  /// - Throws: what copying threw.
  func finish(advance: (Int) throws -> Void) throws {
    while isDone.wait(timeout: .now() + 0.1) == .timedOut { try advance(takeProgress()) }
    isDone.signal()
    if let failure = state.withLock({ $0.failure }) { throw failure }
    try advance(takeProgress())
  }

  /// Stops, and returns when nothing is written any more.
  func cancel() {
    state.withLock { $0.isCancelled = true }
    isDone.wait()
    isDone.signal()
  }
}
