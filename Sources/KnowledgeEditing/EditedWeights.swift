import Tensors
import WeightPatch

/// The weights that a computation edits, as they are after the exact apply of the batches so far (Spec: exact apply), and
/// the decoder that computes with them.
final class EditedWeights {
  let foundation: EditFoundation
  private let model: LanguageModel
  private let names: [ByteString]
  private var batches: [(digest: Digest, batch: EditBatch)] = []

  /// Lets the decoder compute with the foundation's weights.
  ///
  /// - Throws: an `ErrataError` (conflict) if the foundation has patches that no other edit can join, or that edit what the
  ///   decoder cannot be given.
  init(_ model: LanguageModel, layers: [Int], on foundation: EditFoundation) throws {
    self.model = model
    self.foundation = foundation
    names = layers.map(model.decoder.editedTensor)
    for name in names { _ = try foundation.standingFactors(of: name) }
    try withdraw()
  }

  /// Adds a batch to those whose result the decoder computes with.
  func add(_ batch: EditBatch, digest: Digest) throws {
    batches.append((digest, batch))
    try putInPlace([])
  }

  /// Lets the decoder compute with the exact result of the batches so far and of `pending` factors.
  func putInPlace(_ pending: [LowRankFactors]) throws {
    for name in names {
      let pending = pending.filter { $0.name == name }
      guard !pending.isEmpty || batches.contains(where: { $0.batch.tensors.contains { $0.name == name } }) else {
        continue
      }
      try model.decoder.replace(name, with: try result(name, and: pending))
    }
  }

  /// Lets the decoder compute with the weights that the edit began with.
  func withdraw() throws { try model.compute(on: foundation) }

  /// The Frobenius norm of a weight without any patch.
  func baseNorm(of name: ByteString) throws -> Double {
    let tensor = try model.checkpoint.tensor(named: name)
    let columns = tensor.shape.extents[1]
    let rowBytes = columns * tensor.dtype.bitsPerElement / 8
    return try foundation.baseBytes(of: name).withUnsafeBytes { bytes in
      // Some rows at a time, which need little memory in binary64.
      stride(from: 0, to: bytes.count, by: 256 * rowBytes).reduce(0.0) { sum, start in
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 256 * rowBytes, bytes.count)])
        let rows = Matrix(rows: piece.count / rowBytes, columns: columns, stored: piece, dtype: tensor.dtype)
        let norm = rows.widened().frobeniusNorm
        return sum + norm * norm
      }.squareRoot()
    }
  }

  /// SHA-256 of every edited tensor with all batches applied exactly to the base.
  func resultDigests() throws -> [ByteString: Digest] {
    Dictionary(
      uniqueKeysWithValues: try names.map { name in
        let tensor = try model.checkpoint.tensor(named: name)
        return (name, Digest(tensorOf: tensor.dtype, shape: tensor.shape, bytes: try result(name)))
      })
  }

  private func result(_ name: ByteString, and pending: [LowRankFactors] = []) throws -> [UInt8] {
    let tensor = try model.checkpoint.tensor(named: name)
    let standing = try foundation.standingFactors(of: name)
    let new = batches.flatMap { digest, batch in batch.tensors.filter { $0.name == name }.map { (digest, $0) } }
    // A batch that is there already counts once.
    let known = Set(standing.map(\.digest))
    let all = standing.map { ($0.digest, $0.factors) } + new.filter { !known.contains($0.0) }
    let factors = all.sorted { $0.0 < $1.0 }.map(\.1) + pending
    let base = try foundation.baseBytes(of: name)
    var bytes = [UInt8](repeating: 0, count: base.count)
    do {
      try Profile.measure("exact apply") {
        try base.withUnsafeBytes { base in
          try bytes.withUnsafeMutableBytes {
            try applyExactly(factors, name: name, to: base, dtype: tensor.dtype, shape: tensor.shape, into: $0)
          }
        }
      }
    } catch let error as ErrataError {
      throw ErrataError.exactApply(error, to: model.checkpoint.path)
    }
    return bytes
  }
}
