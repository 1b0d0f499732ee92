import Safetensors
import Tensors
import WeightPatch

/// The weights that a computation edits, as they are after the exact apply of the batches so far (Spec: exact apply),
/// and the decoder that computes with them.
final class EditedWeights {
  let foundation: PatchedModel
  private let model: LanguageModel
  private let names: [ByteString]
  /// The foundation's and those of the computation.
  private var batches: BatchSet
  private var results: [ByteString: Result] = [:]

  /// The bytes of a tensor, and what they are the sum of: batches in the order of exact apply, and at the end perhaps
  /// factors of a batch that is not complete.
  private struct Result {
    let batches: [Digest]
    let isPending: Bool
    let bytes: [UInt8]
  }

  /// - Throws: an `ErrataError` (conflict) if the foundation has patches that no other edit can join.
  init(layers: [Int], on foundation: PatchedModel) throws {
    self.foundation = foundation
    model = try foundation.model()
    names = layers.map(model.decoder.editedTensor)
    batches = foundation.batches
    for name in names { try foundation.checkJoins(name) }
  }

  /// Adds a batch to those whose result the decoder computes with.
  func add(_ batch: EditBatch, digest: Digest) throws {
    batches = batches.union(BatchSet([BatchSet.Member(batch, digest: digest)]))
    for name in names where batch.tensors.contains(where: { $0.name == name }) {
      let order = batches.members(editing: name).map(\.digest)
      // What was in place before the batch was complete is it already, if it comes last in this order too.
      if let known = results[name], known.batches + (known.isPending ? [digest] : []) == order {
        results[name] = Result(batches: order, isPending: false, bytes: known.bytes)
      } else {
        try put(name)
      }
    }
  }

  /// Lets the decoder compute with the exact result of the batches so far and of factors of one that is not complete.
  func putInPlace(_ pending: LowRankFactors) throws { try put(pending.name, and: pending) }

  /// Lets the decoder compute with the weights that the edit began with.
  func withdraw() throws { try foundation.compute() }

  /// Makes the computation's batches a part of the foundation.
  func keep(as patch: Patch) { foundation.add(patch, results: results.mapValues(\.bytes)) }

  /// The Frobenius norm of a weight without any patch.
  func baseNorm(of name: ByteString) throws -> Double {
    let tensor = try model.checkpoint.tensor(named: name)
    let columns = tensor.shape.extents[1]
    let rowBytes = columns * tensor.dtype.bitsPerElement / 8
    return try foundation.checkpoint.withBase(of: name) { bytes in
      // Some rows at a time, which need little memory in binary64.
      stride(from: 0, to: bytes.count, by: 256 * rowBytes).reduce(0.0) { sum, start in
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 256 * rowBytes, bytes.count)])
        let rows = Matrix(rows: piece.count / rowBytes, columns: columns, stored: piece, dtype: tensor.dtype)
        let norm = rows.widened().frobeniusNorm
        return sum + norm * norm
      }.squareRoot()
    }
  }

  /// SHA-256 of every tensor that a batch has edited, with all batches applied exactly to the base.
  func resultDigests() throws -> [ByteString: Digest] {
    Dictionary(
      uniqueKeysWithValues: try results.map { name, result in
        let tensor = try model.checkpoint.tensor(named: name)
        return (name, Digest(tensorOf: tensor.dtype, shape: tensor.shape, bytes: result.bytes))
      })
  }

  private func put(_ name: ByteString, and pending: LowRankFactors? = nil) throws {
    let tensor = try model.checkpoint.tensor(named: name)
    let members = batches.members(editing: name)
    let factors = try members.map { try $0.factors(of: name) } + [pending].compactMap { $0 }
    let bytes: [UInt8]
    do {
      bytes = try Profile.measure("exact apply") {
        try foundation.checkpoint.withBase(of: name) { try tensor.applying(factors, base: $0) }
      }
    } catch let error as ErrataError {
      throw ErrataError.exactApply(error, to: model.checkpoint.path)
    }
    results[name] = Result(batches: members.map(\.digest), isPending: pending != nil, bytes: bytes)
    try model.decoder.replace(name, with: bytes)
  }
}
