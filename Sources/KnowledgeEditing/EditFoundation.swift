import Safetensors
import Tensors
import WeightPatch

/// What an edit is computed on: a checkpoint's pristine base, and the patches on it, which become the edit's parents.
public struct EditFoundation {
  /// Leads to the state that the edit is computed on.
  let standing: StatePlan
  /// Leads to the pristine base.
  private let pristine: StatePlan

  /// - Parameters:
  ///   - patches: patches that count as applied, besides those that the checkpoint carries.
  ///   - time: the present, in ISO 8601, UTC.
  /// - Throws: an `ErrataError` (base mismatch, conflict) if the patches cannot be applied to the checkpoint.
  public init(_ state: CheckpointState, with patches: [PatchFile] = [], time: String) throws {
    standing = try state.planApply(patches, time: time)
    pristine = try state.planRevert(Set(state.ledger.patches.map(\.patch)))
  }

  /// The patches that the edit is computed on top of, in the order in which they were applied.
  public var parents: [Manifest.Parent] {
    standing.patches.map { file in
      Manifest.Parent(patch: file.identifier, batches: file.manifest.batches.map(\.digest))
    }
  }

  private var checkpoint: Checkpoint { standing.state.checkpoint }

  /// A tensor's bytes without any patch.
  ///
  /// - Throws: an `ErrataError` if the undo record does not lead to them.
  func baseBytes(of name: ByteString) throws -> [UInt8] {
    standing.state.ledger.tensors[name] != nil
      ? try pristine.result(of: name) : Array(try checkpoint.tensor(named: name).bytes)
  }

  func baseDigest(of name: ByteString) throws -> Digest {
    try standing.state.ledger.tensors[name]?.base ?? checkpoint.digest(of: name)
  }

  /// The digests that second moments of this model may know the weights by: those of the base, and of the state that they
  /// may have been collected on.
  func knownDigests(of name: ByteString) throws -> Set<Digest> {
    // What the ledger says of the present was checked when the foundation was made.
    if let known = standing.state.ledger.tensors[name] { return [known.base, known.current] }
    return [try checkpoint.digest(of: name)]
  }

  /// The factors that the patches have for a tensor.
  ///
  /// - Throws: an `ErrataError` (conflict) if a patch sets the tensor's values exactly, which no other change can join.
  func standingFactors(of name: ByteString) throws -> [(digest: Digest, factors: LowRankFactors)] {
    let factors = try standing.factors(of: name)
    if factors.contains(where: { $0.factors.correction != nil }) {
      throw ErrataError.correctedTensor(name, checkpoint.path)
    }
    return factors
  }
}
