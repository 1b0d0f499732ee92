import Dispatch
import Foundation
import Synchronization
import Tensors

/// Runs the transitions of several tensors: chunks are computed on all processors, and digested, in order, by one of the
/// threads that compute; one more thread writes them, in order, also while the next tensor has begun.
///
/// All that is written, is written by that thread, in the same order in every run.
final class TransitionPipeline: Sendable {
  private struct State {
    var failure: (any Error)?
    /// If a chunk could not be computed: of all such failures, that of the first chunk is told.
    var failedChunk: Int?
  }

  private let state = Mutex(State())
  private let writing = DispatchQueue(label: "writing")

  /// Computes a tensor; its last pieces may be on their way when this returns.
  ///
  /// - Parameters:
  ///   - task: is run beside the computing.
  ///   - finish: is called when all pieces are delivered, with the digest of the new bytes.
  /// - Throws: what computing, writing or finishing this tensor or one before it throws. What was written is then not to be
  ///   used.
  func run(
    _ transition: TensorTransition, _ output: TransitionOutput, beside task: () throws -> Void = {},
    finish: @escaping (Digest) throws -> Void
  ) throws {
    let chunks = transition.chunks
    let workers = ProcessInfo.processInfo.activeProcessorCount
    // Enough chunks for every processor, and no more than 4 Mi elements, so that memory is bounded.
    let room = DispatchSemaphore(value: 0)
    for _ in 0..<max(workers, min(8 * workers, (4 << 20) / chunks.chunkLength)) { room.signal() }
    writing.async { [self] in attempt { try output.begin() } }
    let computed = OrderedPieces { [self] piece in
      if !hasFailed { output.digest(piece) }
      writing.async { [self] in
        attempt { try output.deliver(piece) }
        room.signal()
      }
    }
    let next = Atomic(0)
    withoutActuallyEscaping(task) { task in
      nonisolated(unsafe) let task = task
      DispatchQueue.concurrentPerform(iterations: workers) { worker in
        if worker == 0 { attempt { try task() } }
        // Room comes first: so the first chunk that is not written never waits for another.
        room.wait()
        while !hasFailed {
          let chunk = next.add(1, ordering: .relaxed).oldValue
          guard chunk < chunks.count else { break }
          attempt(chunk) { computed.add(try transition.piece(chunk, isRecording: output.isRecording), at: chunk) }
          // A failed chunk gives its room back.
          if hasFailed { room.signal() }
          room.wait()
        }
        // For the next worker to see that there is nothing to do.
        room.signal()
      }
    }
    nonisolated(unsafe) let finish = finish
    writing.async { [self] in attempt { try finish(output.finish()) } }
    try throwFailure()
  }

  /// Waits for what is on its way.
  ///
  /// - Throws: as `run`.
  func drain() throws {
    wait()
    try throwFailure()
  }

  /// Waits for what is on its way, whatever becomes of it.
  func wait() { writing.sync {} }

  private var hasFailed: Bool { state.withLock { $0.failure != nil } }

  private func throwFailure() throws {
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  /// Does something, unless something has failed; a chunk that was begun is computed all the same.
  private func attempt(_ chunk: Int? = nil, _ body: () throws -> Void) {
    guard chunk != nil || !hasFailed else { return }
    do {
      try body()
    } catch {
      state.withLock { state in
        let isFirst = if let chunk, let failedChunk = state.failedChunk { chunk < failedChunk } else { false }
        guard state.failure == nil || isFirst else { return }
        state.failure = error
        state.failedChunk = chunk
      }
    }
  }
}

/// Hands on in order what comes in any order.
private final class OrderedPieces: Sendable {
  private struct State {
    var waiting: [Int: TensorTransition.Piece] = [:]
    var next = 0
    /// Whether a thread is handing on what waits.
    var isBusy = false
  }

  private let state = Mutex(State())
  private let handOn: @Sendable (TensorTransition.Piece) -> Void

  init(_ handOn: @escaping @Sendable (TensorTransition.Piece) -> Void) { self.handOn = handOn }

  /// Takes a piece, and hands on those whose turn it is, unless another thread is doing so.
  func add(_ piece: TensorTransition.Piece, at index: Int) {
    state.withLock { $0.waiting[index] = piece }
    while let piece = take() {
      handOn(piece)
      state.withLock { $0.isBusy = false }
    }
  }

  private func take() -> TensorTransition.Piece? {
    state.withLock { state in
      guard !state.isBusy, let piece = state.waiting.removeValue(forKey: state.next) else { return nil }
      state.next += 1
      state.isBusy = true
      return piece
    }
  }
}
