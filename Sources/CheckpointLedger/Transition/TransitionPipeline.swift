import Dispatch
import Foundation
import Synchronization
import Tensors
import WeightPatch

/// Runs the transitions of tensors, some side by side: chunks are computed on several threads (`Threads`), and
/// digested, in order, by one of them; one more thread writes them, in order, also while the next tensor has begun.
///
/// All that is written, is written by that thread, in the same order in every run.
final class TransitionPipeline: Sendable {
  private struct State {
    var failure: (any Error)?
    /// If a chunk could not be computed: of all such failures, that of the first chunk is told.
    var failedChunk: Int?
  }

  private let state = Mutex(State())
  private let writing = SerialWorker()

  /// A tensor on its way.
  struct Lane {
    let transition: TensorTransition
    let output: TransitionOutput
    /// Is called when all pieces are delivered, with the digest of the new bytes.
    let finish: (Digest) throws -> Void
  }

  /// Computes some tensors side by side, a chunk of each in turn, so that they are digested at the same time; their
  /// last pieces may be on their way when this returns.
  ///
  /// - Parameters:
  ///   - lanes: tensors with the same chunks.
  ///   - task: is run beside the computing.
  /// - Throws: what computing, writing or finishing these tensors or those before them throws. What was written is then
  ///   not to be used.
  func run(_ lanes: [Lane], beside task: () throws -> Void = {}) throws {
    let chunks = lanes[0].transition.chunks
    precondition(lanes.allSatisfy { $0.transition.chunks == chunks })
    nonisolated(unsafe) let lanes = lanes
    let workers = Threads.count
    // Enough chunks for every worker and lane, and no more than 8 Mi elements, so that memory is bounded.
    let room = DispatchSemaphore(value: 0)
    for _ in 0..<max(workers, lanes.count, min(16 * workers, (8 << 20) / chunks.chunkLength)) { room.signal() }
    writing.async { [self] in attempt { for lane in lanes { try lane.output.begin() } } }
    let computed = OrderedPieces(atOnce: lanes.count) { [self] pieces in
      if !hasFailed { TransitionOutput.digest(pieces, lanes.map(\.output)) }
      writing.async { [self] in
        for (piece, lane) in zip(pieces, lanes) {
          attempt { try lane.output.deliver(piece) }
          room.signal()
        }
      }
    }
    let next = Atomic(0)
    withoutActuallyEscaping(task) { task in
      nonisolated(unsafe) let task = task
      WorkerThreads.shared.perform(workers) { worker in
        if worker == 0 { attempt { try task() } }
        // Room comes first: so the first chunk that is not written never waits for another.
        room.wait()
        while !hasFailed {
          let index = next.add(1, ordering: .relaxed).oldValue
          guard index < lanes.count * chunks.count else { break }
          let (chunk, number) = index.quotientAndRemainder(dividingBy: lanes.count)
          let lane = lanes[number]
          attempt(index) {
            computed.add(try lane.transition.piece(chunk, isRecording: lane.output.isRecording), at: index)
          }
          // A failed chunk gives its room back.
          if hasFailed { room.signal() }
          room.wait()
        }
        // For the next worker to see that there is nothing to do.
        room.signal()
      }
    }
    writing.async { [self] in attempt { for lane in lanes { try lane.finish(lane.output.finish()) } } }
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
  func wait() { writing.wait() }

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
  private let countAtOnce: Int
  private let handOn: @Sendable ([TensorTransition.Piece]) -> Void

  /// - Parameter countAtOnce: how many are handed on together.
  init(atOnce countAtOnce: Int, _ handOn: @escaping @Sendable ([TensorTransition.Piece]) -> Void) {
    self.countAtOnce = countAtOnce
    self.handOn = handOn
  }

  /// Takes a piece, and hands on those whose turn it is, unless another thread is doing so.
  func add(_ piece: TensorTransition.Piece, at index: Int) {
    state.withLock { $0.waiting[index] = piece }
    while let pieces = take() {
      handOn(pieces)
      state.withLock { $0.isBusy = false }
    }
  }

  private func take() -> [TensorTransition.Piece]? {
    state.withLock { state in
      let indices = state.next..<state.next + countAtOnce
      guard !state.isBusy, indices.allSatisfy({ state.waiting[$0] != nil }) else { return nil }
      state.next = indices.upperBound
      state.isBusy = true
      return indices.map { state.waiting.removeValue(forKey: $0)! }
    }
  }
}
