import Safetensors
import Tensors

/// Takes the pieces of one tensor's transition, in order: they are digested and written, and the base is checked.
///
/// Digesting and writing may be done by two threads, each of them by one at a time.
final class TransitionOutput {
  /// Takes the new bytes in order, with their offset in the tensor.
  typealias Write = (_ bytes: [UInt8], _ offset: Int) throws -> Void

  private let tensor: StoredTensor
  private let base: Digest
  private let undoPath: String?
  private let elementWidth: Int
  private let record: UndoRecordWriter?
  private let write: Write
  private var baseHasher: DigestHasher
  private var newHasher: DigestHasher

  /// - Parameter recordPath: where the undo record goes; none is written if this is nil, or if nothing remains to be undone.
  init(_ transition: TensorTransition, recordPath: String?, write: @escaping Write) throws {
    tensor = transition.tensor
    base = transition.base
    undoPath = transition.undo?.path
    elementWidth = transition.old.format.width
    record = try (transition.new.isEmpty ? nil : recordPath).map {
      try UndoRecordWriter(path: $0, dtype: transition.tensor.dtype, chunks: transition.chunks)
    }
    self.write = write
    baseHasher = DigestHasher(tensorOf: tensor.dtype, shape: tensor.shape)
    newHasher = baseHasher
  }

  /// Whether pieces must bring streams.
  var isRecording: Bool { record != nil }

  func digest(_ pieces: [TensorTransition.Piece]) {
    for piece in pieces {
      if let bytes = piece.base { baseHasher.update(bytes) }
      newHasher.update(piece.new)
    }
  }

  /// Writes, and lets go of the memory that holds bytes of the checkpoint which are done.
  func deliver(_ pieces: [TensorTransition.Piece]) throws {
    for piece in pieces {
      try record?.append(piece.stream)
      try write(piece.new, piece.elements.lowerBound * elementWidth)
    }
    guard let first = pieces.first, let last = pieces.last else { return }
    let start = tensor.info.fileRange.lowerBound
    tensor.file.release(
      start + first.elements.lowerBound * elementWidth..<start + last.elements.upperBound * elementWidth)
  }

  /// To be called when all pieces are digested and delivered.
  ///
  /// - Returns: the digest of the new bytes.
  /// - Throws: an `ErrataError` if the base that was recovered is not the base, or if writing fails.
  func finish() throws -> Digest {
    if let undoPath {
      let found = baseHasher.finalize()
      guard found == base else {
        throw ErrataError.damagedUndoRecord(
          undoPath, "it leads to \(found.abbreviated), not to the base \(base.abbreviated), of \(tensor.name)")
      }
    }
    let current = newHasher.finalize()
    try record?.commit(base: base, current: current)
    return current
  }
}
