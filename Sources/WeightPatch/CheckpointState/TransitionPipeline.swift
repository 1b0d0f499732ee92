import Foundation
import Tensors

/// Runs the transitions of several tensors, a group of chunks at a time: while one group is computed on all processors, the
/// one before it is digested by one of them and written by one, in order, also where one tensor ends and the next begins.
///
/// All that is written, is written by one thread at a time, in the same order in every run.
struct TransitionPipeline {
  private var digest: () throws -> Void = {}
  private var delivery: () throws -> Void = {}
  /// The end of the tensor whose last group is digested and written beside the next group.
  private var finish: () throws -> Void = {}

  /// Computes a tensor; its last pieces are on their way when this returns.
  ///
  /// - Parameters:
  ///   - task: is run beside the computing.
  ///   - finish: is called when all pieces are delivered, with the digest of the new bytes.
  /// - Throws: what computing, writing or finishing this tensor or one before it throws. What was written is then not to be
  ///   used.
  mutating func run(
    _ transition: TensorTransition, _ output: TransitionOutput, beside task: @escaping () throws -> Void = {},
    finish: @escaping (Digest) throws -> Void
  ) throws {
    let chunks = transition.chunks
    let isRecording = output.isRecording
    // Enough chunks at once for every processor, and no more than 4 Mi elements, so that memory is bounded.
    let group = max(1, min(8 * ProcessInfo.processInfo.activeProcessorCount, (4 << 20) / chunks.chunkLength))
    for start in stride(from: 0, to: chunks.count, by: group) {
      let tasks = start == 0 ? [digest, delivery, task] : [digest, delivery]
      let pieces = try concurrentMap(start..<min(start + group, chunks.count), beside: tasks) {
        try transition.piece($0, isRecording: isRecording)
      }
      let finishPrevious = self.finish
      digest = { output.digest(pieces) }
      delivery = {
        try finishPrevious()
        try output.deliver(pieces)
      }
      self.finish = {}
    }
    let finishPrevious = self.finish
    self.finish = {
      try finishPrevious()
      try finish(output.finish())
    }
  }

  /// Waits for what is on its way.
  ///
  /// - Throws: as `run`.
  mutating func drain() throws {
    _ = try concurrentMap(0..<0, beside: [digest, delivery]) { _ in }
    try finish()
    self = TransitionPipeline()
  }
}
