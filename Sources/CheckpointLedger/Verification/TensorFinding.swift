import Safetensors
import Tensors
import WeightPatch

/// A tensor of a checkpoint that is not what it should be.
public struct TensorFinding: Sendable, Equatable {
  public enum Problem: Sendable, Equatable {
    /// The ledger or the base names it, and the checkpoint does not have it.
    case missing
    /// It holds its base; the ledger says that patches are in it.
    case unpatched
    /// It is neither its base nor what the ledger says that it is now.
    case changed(expected: Digest, found: Digest)
    /// The base cannot be recovered from it; `reason` is an error's message.
    case noWayBack(reason: String)
    /// The base was recovered, and base plus patches is something else.
    case notBasePlusPatches(expected: Digest, found: Digest)
    /// The base that the ledger records is not the one that it is compared with.
    case otherBase(expected: Digest, found: Digest)
    /// No patch edits it, and it differs from the base's.
    case differsFromBase
    case notInBase
    /// It is stored in another type than the base's; how their values compare, where no patch edits it.
    case retyped(expected: DType, found: DType, values: Retyping?)
  }

  public let tensor: ByteString
  public let problem: Problem
}

extension TensorFinding.Problem: CustomStringConvertible {
  /// For people, without the tensor's name.
  public var description: String {
    switch self {
    case .missing: "is missing"
    case .unpatched: "holds its base: the patches are not in it"
    case .changed(let expected, let found):
      "is neither its base nor its base plus the patches: expected \(expected.abbreviated), found \(found.abbreviated)"
    case .noWayBack(let reason): "does not lead back to its base: \(reason)"
    case .notBasePlusPatches(let expected, let found):
      "is not its base plus the patches: expected \(expected.abbreviated), found \(found.abbreviated)"
    case .otherBase(let expected, let found):
      "was edited on another base: the ledger says \(expected.abbreviated), the base has \(found.abbreviated)"
    case .differsFromBase: "is edited by no patch, and differs from the base's"
    case .notInBase: "is not in the base"
    case .retyped(let expected, let found, let values):
      "is \(found.rawValue) and the base's \(expected.rawValue)"
        + (values.map { ", \($0.text(expected, found))" } ?? "")
    }
  }

  /// For programs: the member `problem` of a tool's `--json`.
  public var name: String {
    switch self {
    case .missing: "missing"
    case .unpatched: "unpatched"
    case .changed: "changed"
    case .noWayBack: "no_way_back"
    case .notBasePlusPatches: "not_base_plus_patches"
    case .otherBase: "other_base"
    case .differsFromBase: "differs_from_base"
    case .notInBase: "not_in_base"
    case .retyped: "retyped"
    }
  }
}
