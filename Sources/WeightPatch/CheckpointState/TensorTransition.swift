import Foundation
import Safetensors
import Tensors

/// One tensor's way from one set of edit batches to another: the base is recovered and edited anew, chunk by chunk.
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

  var chunks: Chunks { undo?.chunks ?? Chunks(rows: old.rows, columns: old.columns) }

  /// What one chunk becomes.
  struct Piece: Sendable {
    let elements: Range<Int>
    /// Nil if the old bytes are the base.
    var base: [UInt8]?
    var new: [UInt8]
    var stream: [UInt8]
  }

  /// Computes a chunk's new bytes and, if `isRecording`, the stream that leads back from them.
  ///
  /// - Throws: an `ErrataError` if the undo record does not fit, or if a value overflows.
  func piece(_ chunk: Int, isRecording: Bool) throws -> Piece {
    // The mappings that the pointers below lead into.
    defer { withExtendedLifetime(self) {} }
    let elements = chunks[chunk]
    let format = old.format
    let byteCount = elements.count * format.width
    let coding = UndoCoding(format: format)
    let source = tensor.bytes.baseAddress! + elements.lowerBound * format.width
    return try withUnsafeTemporaryAllocation(of: Double.self, capacity: elements.count) { buffer in
      let delta = buffer.baseAddress!
      var base = [UInt8](UnsafeRawBufferPointer(start: source, count: byteCount))
      if let undo {
        old.compute(elements, into: delta)
        // `base` holds the edited values: the steps are taken back first.
        var rounded = base
        guard old.correct(elements, &rounded, backwards: true) == nil,
          coding.decode(undo.stream(chunk), current: rounded, delta: delta, count: elements.count, into: &base)
        else { throw ErrataError.damagedUndoRecord(undo.path, "it does not fit the edited tensor \(tensor.name)") }
      }
      let knownBase = undo == nil ? nil : base
      guard !new.isEmpty else { return Piece(elements: elements, base: knownBase, new: base, stream: []) }
      new.compute(elements, into: delta)
      var result = base
      try new.round(elements, base: base, delta: delta, into: &result)
      let newStream =
        isRecording ? coding.encode(base: base, current: result, delta: delta, count: elements.count) : []
      try new.correct(elements, in: &result)
      return Piece(elements: elements, base: knownBase, new: result, stream: newStream)
    }
  }
}
