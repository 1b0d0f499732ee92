import Tensors
import WeightPatch

/// A change of a checkpoint's state that was found to be possible: from one set of patches to another. `write` does it.
public struct StatePlan: Sendable {
  public let state: CheckpointState
  /// What the command named and will be applied: in the order in which it was named, but parents first.
  public let applied: [PatchFile]
  /// What the command named and is applied already.
  public let alreadyApplied: [PatchFile]
  /// What is applied already, and will have other signatures in the ledger.
  package var signed: [PatchFile] = []
  /// What will be taken back, in the order of the ledger.
  public let reverted: [PatchFile]
  /// What will give way to a patch made from it, in the order of the ledger.
  public let replaced: [Replacement]
  /// What is applied afterwards, in order.
  public let entries: [Ledger.Entry]

  /// The patches that are on the checkpoint afterwards.
  public let patches: [PatchFile]
  /// Of all of them.
  public let batches: BatchSet
  /// Of every tensor that is or will be edited.
  let baseDigests: [ByteString: Digest]
  /// Whether every patch that is applied was made for this base; false only by force.
  public let fitsBase: Bool
  /// What is applied without the patches that it was computed on top of; empty but by force.
  public let withoutParents: [PatchFile]
  /// What the tensors must be afterwards, if a patch says so.
  let expectedResult: (source: String, digests: [ByteString: Digest])?

  /// Whether there is nothing to do.
  public var isEmpty: Bool { applied.isEmpty && reverted.isEmpty && replaced.isEmpty && signed.isEmpty }

  /// The tensors whose bytes are computed anew, in order of name.
  public var changedTensors: [ByteString] { batches.tensorsThatDiffer(from: state.batches).sorted() }
}
