import Foundation
import Safetensors
import Tensors

/// One tensor on its way from one set of edit batches to another: the base is recovered, checked, and edited anew,
/// a few chunks at a time.
struct TensorTransition {
  let tensor: StoredTensor
  /// The change that is in the tensor's bytes.
  let old: TensorChange
  /// The change that shall be.
  let new: TensorChange
  /// Leads back from the old change; nil if there is none.
  let undo: UndoRecord?
  let base: Digest

  init(
    _ tensor: StoredTensor, from old: [LowRankFactors], to new: [LowRankFactors], base: Digest, location: LedgerLocation
  ) throws {
    self.tensor = tensor
    self.base = base
    self.old = try TensorChange(old, name: tensor.name, dtype: tensor.dtype, shape: tensor.shape)
    self.new = try TensorChange(new, name: tensor.name, dtype: tensor.dtype, shape: tensor.shape)
    undo = old.isEmpty ? nil : try UndoRecord(path: location.undoRecord(of: tensor.name))
    if let undo, undo.dtype != tensor.dtype || undo.elementCount != self.old.elementCount || undo.baseDigest != base {
      throw ErrataError.damagedUndoRecord(undo.path, "it is not the record of \(tensor.name)")
    }
  }

  /// Computes the tensor's new bytes and the undo record that leads back from them.
  ///
  /// - Parameters:
  ///   - recordPath: where the record goes; none is written if this is nil, or if nothing remains to be undone.
  ///   - write: takes the new bytes in order, with their offset in the tensor.
  /// - Returns: the digest of the new bytes.
  /// - Throws: an `ErrataError` if the base that is recovered is not the base, if a value overflows, or if writing
  ///   fails. What was written is then not to be used.
  func run(recordPath: String?, write: (_ bytes: [UInt8], _ offset: Int) throws -> Void) throws -> Digest {
    // The mappings that the pointers below lead into.
    defer { withExtendedLifetime(self) {} }
    let chunks = undo?.chunks ?? Chunks(rows: old.rows, columns: old.columns)
    let record = try (new.isEmpty ? nil : recordPath).map {
      try UndoRecordWriter(path: $0, dtype: tensor.dtype, chunks: chunks)
    }
    let isRecording = record != nil
    var baseHasher = DigestHasher(tensorOf: tensor.dtype, shape: tensor.shape)
    var newHasher = baseHasher
    // Enough chunks at once for every processor, and no more than 4 Mi elements, so that memory is bounded.
    let group = max(1, min(8 * ProcessInfo.processInfo.activeProcessorCount, (4 << 20) / chunks.chunkLength))
    var ready: [(chunk: Int, piece: Piece)] = []
    // While one group is computed, the one before it is digested and written, each by one thread: in their order.
    for start in stride(from: 0, through: (chunks.count + group - 1) / group * group, by: group) {
      let pieces = try withoutActuallyEscaping(write) { write in
        nonisolated(unsafe) let write = write
        let previous = ready
        return try concurrentMap(
          min(start, chunks.count)..<min(start + group, chunks.count),
          beside: [
            {
              for (_, piece) in previous {
                if let bytes = piece.base { baseHasher.update(bytes) }
                newHasher.update(piece.new)
              }
            },
            {
              for (chunk, piece) in previous {
                try record?.append(piece.stream)
                try write(piece.new, chunks[chunk].lowerBound * old.format.width)
              }
            },
          ]
        ) { index in
          (index, try self.piece(chunks[index], stream: undo?.stream(index), isRecording: isRecording))
        }
      }
      release(ready.map { chunks[$0.chunk] })
      ready = pieces
    }
    if let undo {
      let found = baseHasher.finalize()
      guard found == base else {
        throw ErrataError.damagedUndoRecord(
          undo.path, "it leads to \(found.abbreviated), not to the base \(base.abbreviated), of \(tensor.name)")
      }
    }
    let current = newHasher.finalize()
    try record?.commit(base: base, current: current)
    return current
  }

  /// Lets go of the memory that holds bytes of the checkpoint which are done.
  private func release(_ chunks: [Range<Int>]) {
    guard let first = chunks.first, let last = chunks.last else { return }
    let start = tensor.info.fileRange.lowerBound
    tensor.file.release(
      start + first.lowerBound * old.format.width..<start + last.upperBound * old.format.width)
  }

  private struct Piece: Sendable {
    /// Nil if the old bytes are the base.
    var base: [UInt8]?
    var new: [UInt8]
    var stream: [UInt8]
  }

  private func piece(
    _ elements: Range<Int>, stream: UnsafeRawBufferPointer?, isRecording: Bool
  ) throws -> Piece {
    let format = old.format
    let byteCount = elements.count * format.width
    let coding = UndoCoding(format: format)
    let source = tensor.bytes.baseAddress! + elements.lowerBound * format.width
    return try withUnsafeTemporaryAllocation(of: Double.self, capacity: elements.count) { buffer in
      let delta = buffer.baseAddress!
      var base = [UInt8](UnsafeRawBufferPointer(start: source, count: byteCount))
      if let stream, let undo {
        old.compute(elements, into: delta)
        // `base` holds the edited values: the steps are taken back first.
        var rounded = base
        guard old.correct(elements, &rounded, backwards: true) == nil,
          coding.decode(stream, current: rounded, delta: delta, count: elements.count, into: &base)
        else { throw ErrataError.damagedUndoRecord(undo.path, "it does not fit the edited tensor \(tensor.name)") }
      }
      guard !new.isEmpty else { return Piece(base: stream == nil ? nil : base, new: base, stream: []) }
      new.compute(elements, into: delta)
      var result = base
      try new.round(elements, base: base, delta: delta, into: &result)
      let newStream =
        isRecording ? coding.encode(base: base, current: result, delta: delta, count: elements.count) : []
      try new.correct(elements, in: &result)
      return Piece(base: stream == nil ? nil : base, new: result, stream: newStream)
    }
  }
}
