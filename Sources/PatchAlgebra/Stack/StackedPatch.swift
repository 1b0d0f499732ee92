import CheckpointLedger
import Tensors
import WeightPatch

/// A patch made from several, without the model.
public struct StackedPatch: Sendable {
  public private(set) var manifest: Manifest
  public let batches: [EditBatch]
  /// The paths of the patches, for messages.
  private let paths: [String]

  /// - Parameter batches: at least one; what was measured on a checkpoint with one of the patches alone goes from their
  ///   descriptions.
  init(_ stack: PatchStack, batches: [(batch: EditBatch, description: Manifest.Batch)]) {
    paths = stack.files.map(\.path)
    self.batches = batches.map(\.batch)
    let parents = Set(stack.parents.flatMap(\.batches))
    var before = parents
    let descriptions = batches.map { batch, description -> Manifest.Batch in
      var described = description
      described.digest = batch.digest()
      // Said where it is not what a reader would take for granted.
      if let computedOn = description.computedOn, Set(computedOn) == before { described.computedOn = nil }
      described.forgetMeasurements()
      before.insert(described.digest)
      return described
    }
    let edited = Set(batches.flatMap { $0.batch.tensors.map(\.name) })
    var base = stack.base
    base.tensors = base.tensors.filter { edited.contains($0.key) }
    let manifests = stack.files.map(\.manifest)
    manifest = Manifest(
      // Writing sets both.
      created: manifests[0].created, tool: manifests[0].tool, base: base, batches: descriptions, parents: stack.parents,
      sources: stack.files.map { file in
        let manifest = file.manifest
        return Manifest.Source(
          patch: file.identifier, batches: manifest.batches.map(\.digest), author: manifest.author,
          licence: manifest.licence, note: manifest.note)
      }, licence: Manifest(commonTo: manifests).licence)
  }

  /// Records the digests of what exact apply makes of the base.
  ///
  /// - Throws: an `ErrataError` if the checkpoint is not the patches' base, or if they stand on others.
  public mutating func recordResult(onBase base: LockedCheckpoint) throws {
    try manifest.recordResult(of: batches, onBase: base, sources: paths)
  }

  /// - Parameter origin: who stacked the patches; their own authors stand with them. Where it names no licence, the
  ///   patches' own stays, if they have one in common.
  /// - Returns: the patch as it was written.
  @discardableResult
  public func write(to path: String, origin: PatchOrigin) throws -> Patch {
    var origin = origin
    origin.licence = origin.licence ?? manifest.licence
    return try PatchWriter.write(manifest.made(by: origin), batches: batches, to: path)
  }
}

extension PatchStack {
  /// The batches one beside the other: applying the stack gives the bytes that applying the patches gives.
  ///
  /// - Throws: an `ErrataError` if a batch that loses facts cannot be solved again.
  public func summed(_ settlement: StackSettlement) throws -> StackedPatch {
    let stack = try dropping(settlement.dropped)
    return StackedPatch(
      stack,
      batches: stack.members.map { member in
        var description = member.description
        description.computedOn = member.computedOn.sorted()
        return (member.batch, description)
      })
  }
}
