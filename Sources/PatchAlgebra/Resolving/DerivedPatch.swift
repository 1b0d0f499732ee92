import CheckpointLedger
import Tensors
import WeightPatch

/// A patch made from another one, without the model.
public struct DerivedPatch: Sendable {
  public private(set) var manifest: Manifest
  public let batches: [EditBatch]
  /// The path of the patch that it was made from, for messages.
  private let source: String

  /// Takes over what still holds: the base, the parents, the facts with their searches. What was measured on the
  /// checkpoint with the other patch goes.
  ///
  /// - Parameters:
  ///   - batches: the edits and what the manifest says of each, at least one.
  ///   - change: what was done, for people.
  init(from file: PatchFile, batches: [(batch: EditBatch, description: Manifest.Batch)], change: String) {
    source = file.path
    self.batches = batches.map(\.batch)
    manifest = file.manifest
    manifest.batches = batches.map(\.description)
    let renamed = Dictionary(batches.map { ($0.description.digest, $0.batch.digest()) }) { first, _ in first }
    let gone = Set(file.manifest.batches.map(\.digest)).subtracting(renamed.keys)
    for batch in manifest.batches.indices {
      manifest.batches[batch].forgetMeasurements()
      manifest.batches[batch].computedOn = manifest.batches[batch].computedOn?.filter { !gone.contains($0) }
        .map { renamed[$0] ?? $0 }
    }
    let edited = Set(batches.flatMap { $0.batch.tensors.map(\.name) })
    manifest.base.tensors = manifest.base.tensors.filter { edited.contains($0.key) }
    manifest.result = nil
    manifest.derivation = Manifest.Derivation(patch: file.identifier, change: change)
  }

  /// Records the digests of what exact apply makes of the base.
  ///
  /// - Throws: an `ErrataError` if the checkpoint is not the patch's base, or if the patch stands on others.
  public mutating func recordResult(onBase base: LockedCheckpoint) throws {
    try manifest.recordResult(of: batches, onBase: base, sources: [source])
  }

  /// - Parameters:
  ///   - origin: who made it from the other one; that one's author stays the author of the facts.
  ///   - compressionLevel: one of `PatchWriter.compressionLevels`.
  /// - Returns: the patch as it was written.
  @discardableResult
  public func write(
    to path: String, origin: PatchOrigin, compressionLevel: Int = PatchWriter.defaultCompressionLevel
  ) throws -> Patch {
    try PatchWriter.write(
      manifest.derived(by: origin), batches: batches, compressionLevel: compressionLevel, to: path)
  }

  /// The patch in a file without a name, on the file system of a folder if that can be written to.
  ///
  /// - Parameter name: what messages call it.
  func file(near folder: String?, name: String, origin: PatchOrigin) throws -> PatchFile {
    try PatchFile(writing: manifest.derived(by: origin), batches: batches, near: folder, source: name)
  }
}

extension Manifest.Batch {
  /// Leaves out what was measured on a checkpoint with the batch as it was.
  mutating func forgetMeasurements() {
    for fact in facts.indices { facts[fact].outcome?.probabilityAfter = nil }
  }
}
