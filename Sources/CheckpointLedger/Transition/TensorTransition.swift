import Foundation
import Safetensors
import Tensors
import WeightPatch

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
  /// Says more of an error of exact apply: which files it is about.
  private let explain: @Sendable (ErrataError) -> ErrataError

  init(
    _ tensor: StoredTensor, from old: [LowRankFactors], to new: [LowRankFactors], base: Digest,
    location: LedgerLocation, explain: @escaping @Sendable (ErrataError) -> ErrataError = { $0 }
  ) throws {
    self.tensor = tensor
    self.base = base
    self.explain = explain
    self.old = try TensorChange(old, name: tensor.name, dtype: tensor.dtype, shape: tensor.shape)
    self.new = try TensorChange(new, name: tensor.name, dtype: tensor.dtype, shape: tensor.shape)
    undo = old.isEmpty ? nil : try UndoRecord(location.undoRecord(of: tensor.name).map())
    if let undo, undo.dtype != tensor.dtype || undo.elementCount != self.old.elementCount || undo.baseDigest != base {
      throw ErrataError.damagedUndoRecord(undo.path, "it is not the record of \(tensor.name)")
    }
  }

  var chunks: Chunks { undo?.chunks ?? Chunks(rows: old.rows, columns: old.columns) }

  /// What one chunk becomes.
  struct Piece: Sendable {
    let elements: Range<Int>
    /// Of the bytes, in the tensor.
    let offset: Int
    var base: [UInt8]
    var new: [UInt8]
    var stream: [UInt8]
  }

  /// Computes a chunk's new bytes and, if `isRecording`, the stream that leads back from them.
  ///
  /// - Throws: an `ErrataError` if the undo record does not fit, or if a value overflows.
  func piece(_ chunk: Int, isRecording: Bool) throws -> Piece {
    let elements = chunks[chunk]
    let width = old.format.width
    let offset = elements.lowerBound * width
    // Read once: who rewrites the file meanwhile does not change what is digested against what is computed from.
    let current = withExtendedLifetime(self) { Array(tensor.bytes[offset..<offset + elements.count * width]) }
    let base = try undo.map { try self.base(chunk, $0, current) } ?? current
    guard !new.isEmpty else { return Piece(elements: elements, offset: offset, base: base, new: base, stream: []) }
    do {
      let (result, stream) = try edited(elements, base, isRecording: isRecording)
      return Piece(elements: elements, offset: offset, base: base, new: result, stream: stream)
    } catch let error as ErrataError {
      throw explain(error)
    }
  }

  /// A chunk's new bytes, and the stream that leads back from them.
  private func edited(
    _ elements: Range<Int>, _ base: [UInt8], isRecording: Bool
  ) throws -> (bytes: [UInt8], stream: [UInt8]) {
    let byteCount = elements.count * old.format.width
    var stream: [UInt8] = []
    var result = try [UInt8](unsafeUninitializedCapacity: byteCount) { result, count in
      try base.withUnsafeBytes { bytes in
        let base = bytes.baseAddress!
        let result = UnsafeMutableRawPointer(result.baseAddress!)
        if isRecording {
          var open = OpenElements(elements, columns: new.columns, format: old.format)
          try new.round(elements, base: base, into: result) {
            open.find($0, base: base, current: result, delta: $1)
          }
          stream = UndoCoding(format: old.format).encode(open)
        } else {
          try new.round(elements, base: base, into: result)
        }
      }
      count = byteCount
    }
    try new.correct(elements, in: &result)
    return (result, stream)
  }

  /// The base of a chunk, from its edited values.
  private func base(_ chunk: Int, _ undo: UndoRecord, _ current: [UInt8]) throws -> [UInt8] {
    let elements = chunks[chunk]
    var rounded = current
    var base = rounded
    // The steps are taken back first.
    guard old.correct(elements, &rounded, backwards: true) == nil else { throw doesNotFit(undo) }
    var open = OpenElements(elements, columns: old.columns, format: old.format)
    old.forEachRun(of: elements) { open.find($0, current: rounded, delta: $1, into: &base) }
    guard UndoCoding(format: old.format).decode(undo.stream(chunk), open, into: &base) else { throw doesNotFit(undo) }
    return base
  }

  private func doesNotFit(_ undo: UndoRecord) -> ErrataError {
    ErrataError.damagedUndoRecord(undo.path, "it does not fit the edited tensor \(tensor.name)")
  }
}
