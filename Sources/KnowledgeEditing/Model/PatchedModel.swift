import CheckpointLedger
import Safetensors
import Tensors
import Transformer
import WeightPatch

/// A model with a set of patches on it, in memory: its decoder computes with the bytes that apply would write, and
/// nothing is written.
///
/// An edit is computed on one, and has its patches as parents.
public final class PatchedModel {
  public let checkpoint: OpenedCheckpoint
  /// Leads to the checkpoint with the patches that it was made with.
  public let plan: StatePlan
  /// The patches, in the order in which they were applied.
  public private(set) var parents: [Manifest.Parent]
  /// Of all of them.
  private(set) var batches: BatchSet
  /// What the batches give, where that is not what the checkpoint holds, as far as it was asked for.
  private var results: [ByteString: [UInt8]] = [:]
  private var changedTensors: Set<ByteString>
  /// Those of a sequence, which are in no file that was opened.
  private var added: [Patch] = []

  /// - Parameters:
  ///   - patches: patches that count as applied, besides those that the checkpoint carries.
  ///   - force: also on a base that they were not made for, or without their parents.
  /// - Throws: an `ErrataError` (base mismatch, conflict) if the patches cannot be applied to the checkpoint.
  public init(_ checkpoint: OpenedCheckpoint, with patches: [PatchFile] = [], force: Bool = false) throws {
    self.checkpoint = checkpoint
    // The time is the ledger's, and none is written.
    plan = try checkpoint.state().planApply(patches, force: force, time: "")
    parents = plan.patches.map { Manifest.Parent(patch: $0.identifier, batches: $0.manifest.batches.map(\.digest)) }
    batches = plan.batches
    changedTensors = Set(plan.changedTensors)
  }

  /// A patch on the model; its factors stay in their file until they are asked for.
  struct CarriedPatch {
    let manifest: Manifest
    let batches: () -> [EditBatch]
  }

  /// In the order in which they were applied.
  var carriedPatches: [CarriedPatch] {
    plan.patches.map { file in CarriedPatch(manifest: file.manifest, batches: { file.patch.batches }) }
      + added.map { patch in CarriedPatch(manifest: patch.manifest, batches: { patch.batches }) }
  }

  public func model() throws -> LanguageModel { try checkpoint.model() }

  // MARK: - Computing

  /// Lets the decoder compute with the patches.
  ///
  /// - Throws: an `ErrataError` if a patch that the checkpoint does not carry changes what is no layer's
  ///   down-projection, or if its result cannot be computed.
  public func compute() throws {
    let model = try model()
    if let other = otherTensors(changedTensors, model).first {
      throw ErrataError.notADownProjection(other, checkpoint.path)
    }
    for name in model.editedTensors {
      try model.decoder.replace(name, with: changedTensors.contains(name) ? try result(of: name) : nil)
    }
  }

  /// Lets the decoder compute without any patch, also without those that the checkpoint carries.
  ///
  /// - Returns: false if that cannot be, because these change what is no layer's down-projection.
  /// - Throws: an `ErrataError` if an undo record does not lead to the base.
  public func computeBase() throws -> Bool {
    let (model, edited) = (try model(), Set(try checkpoint.state().ledger.tensors.keys))
    guard otherTensors(edited, model).isEmpty else { return false }
    for name in model.editedTensors {
      let base = edited.contains(name) ? try checkpoint.withBase(of: name) { Array($0) } : nil
      try model.decoder.replace(name, with: base)
    }
    return true
  }

  /// Those that are no layer's down-projection, in order of name: the decoder reads them from the checkpoint.
  private func otherTensors(_ names: Set<ByteString>, _ model: LanguageModel) -> [ByteString] {
    names.subtracting(model.editedTensors).sorted()
  }

  // MARK: - Tensors

  /// A changed tensor's bytes with the patches.
  private func result(of name: ByteString) throws -> [UInt8] {
    if let known = results[name] { return known }
    let isEdited = try checkpoint.state().ledger.tensors[name] != nil
    let result =
      isEdited
      ? try checkpoint.withBase(of: name) { try plan.result(of: name, onBase: $0) } : try plan.result(of: name)
    results[name] = result
    return result
  }

  /// The digests that second moments of this model may know the weights by: those of the base, and of the state that
  /// they may have been collected on.
  func knownDigests(of name: ByteString) throws -> Set<Digest> {
    // What the ledger says of the present was checked when the patches were looked at.
    if let known = try checkpoint.state().ledger.tensors[name] { return [known.base, known.current] }
    return [try checkpoint.baseDigest(of: name)]
  }

  /// - Throws: an `ErrataError` (conflict) if a patch sets the tensor's values exactly, which no other change can join.
  func checkJoins(_ name: ByteString) throws {
    if batches.corrects(name) { throw ErrataError.correctedTensor(name, checkpoint.path) }
  }

  // MARK: - A sequence

  /// Takes a patch that was computed on this model to the others: what comes next is computed on top of it too.
  ///
  /// - Parameter results: what it gives, together with those before it, for every tensor that it edits.
  func add(_ patch: Patch, results: [ByteString: [UInt8]]) {
    parents.append(Manifest.Parent(patch: patch.identifier, batches: patch.manifest.batches.map(\.digest)))
    added.append(patch)
    batches = batches.union(BatchSet(patch.batches))
    self.results.merge(results) { $1 }
    changedTensors.formUnion(results.keys)
  }
}

extension LanguageModel {
  /// The layers' down-projections: what an edit can change.
  var editedTensors: [ByteString] { (0..<architecture.layerCount).map(decoder.editedTensor) }
}
