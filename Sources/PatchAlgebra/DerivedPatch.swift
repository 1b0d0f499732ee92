import Safetensors
import Tensors
import WeightPatch

/// A patch made from another one, without the model.
public struct DerivedPatch: Sendable {
  public private(set) var manifest: Manifest
  public let batches: [EditBatch]
  /// The path of the patch that it was made from, for messages.
  private let source: String

  /// Takes over what still holds: the base, the parents, the facts with their searches. What was measured on the checkpoint
  /// with the other patch goes.
  ///
  /// - Parameters:
  ///   - batches: the edits and what the manifest says of each, at least one.
  ///   - change: what was done, for people.
  init(from file: PatchFile, batches: [(batch: EditBatch, description: Manifest.Batch)], change: String) {
    source = file.path
    self.batches = batches.map(\.batch)
    manifest = file.manifest
    manifest.batches = batches.map(\.description)
    for batch in manifest.batches.indices {
      for fact in manifest.batches[batch].facts.indices {
        manifest.batches[batch].facts[fact].outcome?.probabilityAfter = nil
      }
    }
    let edited = Set(batches.flatMap { $0.batch.tensors.map(\.name) })
    manifest.base.tensors = manifest.base.tensors.filter { edited.contains($0.key) }
    manifest.result = nil
    manifest.derivation = Manifest.Derivation(patch: file.identifier, change: change)
  }

  /// Records the digests of what exact apply makes of the base.
  ///
  /// - Parameter path: the base's.
  /// - Throws: an `ErrataError` if the checkpoint is not the patch's base, or if the patch stands on others.
  public mutating func recordResult(onBase path: String) throws {
    let base = try Checkpoint(path: path)
    guard manifest.parents.isEmpty else { throw ErrataError.resultNeedsParents(source) }
    // A batch that occurs twice counts once (Spec: exact apply).
    let distinct = Dictionary(batches.map { ($0.digest(), $0) }) { first, _ in first }
    let ordered = distinct.sorted { $0.key < $1.key }.flatMap(\.value.tensors)
    manifest.result = try Dictionary(
      uniqueKeysWithValues: manifest.base.tensors.map { name, expected in
        let tensor = try base.tensor(named: name)
        guard tensor.digest() == expected.digest else { throw ErrataError.notTheBase(source, base.path, name) }
        var bytes = [UInt8](repeating: 0, count: tensor.bytes.count)
        try bytes.withUnsafeMutableBytes {
          try applyExactly(
            ordered.filter { $0.name == name }, name: name, to: tensor.bytes, dtype: tensor.dtype, shape: tensor.shape,
            into: $0)
        }
        var hasher = DigestHasher(tensorOf: tensor.dtype, shape: tensor.shape)
        hasher.update(bytes)
        return (name, hasher.finalize())
      })
  }

  /// - Parameters:
  ///   - author: who made it from the other one; that one's author stays the author of the facts.
  ///   - created: when, in ISO 8601, UTC.
  /// - Returns: the patch as it was written.
  @discardableResult
  public func write(to path: String, author: String? = nil, created: String, tool: Manifest.Tool) throws -> Patch {
    var manifest = manifest
    manifest.created = created
    manifest.tool = tool
    manifest.derivation?.author = author
    return try PatchWriter.write(manifest, batches: batches, to: path)
  }
}
