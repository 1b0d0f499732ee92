import Foundation
import Synchronization
import Tensors
import WeightPatch

/// Files that are copied by another thread, while this one computes; a third has the bytes brought to the disk.
final class BackgroundCopy: Sendable {
  struct Job: Sendable {
    let open: @Sendable () throws -> FileCopy
    /// What somebody else writes.
    var exceptions: [Range<Int>] = []
  }

  private struct State {
    /// Since progress was last asked for.
    var copiedBytes = 0
    var isCancelled = false
    var failure: (any Error)?
  }

  private let state = Mutex(State())
  private let isDone = DispatchSemaphore(value: 0)
  private let copying = SerialWorker()
  private let flushing = SerialWorker()

  init(_ jobs: [Job]) {
    copying.async { [self] in
      do {
        for job in jobs {
          let copy = try job.open()
          // What need not be copied is done at once.
          try advance(copy.byteCount)
          for piece in copy.pieces(except: job.exceptions) {
            try advance(-piece.count)
            try copy.copy(piece)
            try advance(piece.count)
            flushing.async { copy.startWriting(piece) }
          }
          flushing.async { [self] in
            do { try copy.finish() } catch { fail(error) }
          }
        }
      } catch {
        fail(error)
      }
      flushing.async { [self] in isDone.signal() }
    }
  }

  private func advance(_ count: Int) throws {
    let isStopped = state.withLock { state in
      state.copiedBytes += count
      return state.isCancelled || state.failure != nil
    }
    if isStopped { throw CancellationError() }
  }

  private func fail(_ error: any Error) {
    // The first is the cause.
    state.withLock { $0.failure = $0.failure ?? error }
  }

  /// How many bytes have come since this was last asked.
  func takeProgress() -> Int {
    state.withLock { state in
      defer { state.copiedBytes = 0 }
      return state.copiedBytes
    }
  }

  /// Waits for the end: all copies are on disk.
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
