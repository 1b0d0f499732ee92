import Safetensors
import Tensors
import WeightPatch

/// Takes the pieces of one tensor's transition, in order: they are digested and written, and the base is checked.
///
/// Digesting and writing may be done by two threads, each of them by one at a time.
final class TransitionOutput: @unchecked Sendable {
  /// Takes the pieces in order.
  typealias Write = (TensorTransition.Piece) throws -> Void

  private let transition: TensorTransition
  private let recordPath: AnchoredPath?
  private let write: Write
  private var record: UndoRecordWriter?
  private var baseHasher: DigestHasher
  private var newHasher: DigestHasher

  /// - Parameters:
  ///   - recordPath: where the undo record goes; none is written if this is nil, or if nothing remains to be undone.
  init(_ transition: TensorTransition, recordPath: AnchoredPath? = nil, write: @escaping Write) {
    self.transition = transition
    self.recordPath = transition.new.isEmpty ? nil : recordPath
    self.write = write
    baseHasher = DigestHasher(tensorOf: transition.tensor.dtype, shape: transition.tensor.shape)
    newHasher = baseHasher
  }

  /// Whether pieces must bring streams.
  var isRecording: Bool { recordPath != nil }

  /// To be called before the first piece is delivered.
  func begin() throws {
    record = try recordPath.map {
      try UndoRecordWriter($0, dtype: transition.tensor.dtype, chunks: transition.chunks)
    }
  }

  /// Takes a piece for each of several outputs.
  static func digest(_ pieces: [TensorTransition.Piece], _ outputs: [TransitionOutput]) {
    // The base's digest is that of the new bytes where these are the base.
    let withBase = pieces.indices.filter { !outputs[$0].transition.new.isEmpty }
    var hashers = outputs.map(\.newHasher) + withBase.map { outputs[$0].baseHasher }
    withBytes(of: pieces.map(\.new) + withBase.map { pieces[$0].base }) { DigestHasher.update(&hashers, $0) }
    for (output, hasher) in zip(outputs, hashers) { output.newHasher = hasher }
    for (index, hasher) in zip(withBase, hashers[outputs.count...]) { outputs[index].baseHasher = hasher }
  }

  private static func withBytes(
    of arrays: [[UInt8]], _ found: [UnsafeRawBufferPointer] = [], _ body: ([UnsafeRawBufferPointer]) -> Void
  ) {
    guard found.count < arrays.count else { return body(found) }
    arrays[found.count].withUnsafeBytes { withBytes(of: arrays, found + [$0], body) }
  }

  /// Writes, and lets go of the memory that holds bytes of the checkpoint which are done.
  func deliver(_ piece: TensorTransition.Piece) throws {
    try record?.append(piece.stream)
    try write(piece)
    let start = transition.tensor.info.fileRange.lowerBound + piece.offset
    transition.tensor.file.release(start..<start + piece.new.count)
  }

  /// To be called when all pieces are digested and delivered.
  ///
  /// - Returns: the digest of the new bytes.
  /// - Throws: an `ErrataError` if the base that was recovered is not the base, or if writing fails.
  func finish() throws -> Digest {
    let current = newHasher.finalize()
    let found = transition.new.isEmpty ? current : baseHasher.finalize()
    guard found == transition.base else {
      guard let undo = transition.undo else {
        throw ErrataError.changedWhileRead(transition.tensor.file.path, transition.tensor.name)
      }
      throw ErrataError.damagedUndoRecord(
        undo.path,
        "it leads to \(found.abbreviated), not to the base \(transition.base.abbreviated), of \(transition.tensor.name)"
      )
    }
    try record?.finish(base: transition.base, current: current)
    return current
  }
}
