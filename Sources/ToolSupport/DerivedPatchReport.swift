import Tensors
import WeightPatch

/// What is said of a patch that was made from another one.
public struct DerivedPatchReport: Answer {
  public let kind: String
  private let patch: Patch
  private let path: String
  private let policy: TrustPolicy?
  private var derivation: Manifest.Derivation { patch.manifest.derivation! }

  /// - Parameters:
  ///   - patch: as it was written to `path`.
  ///   - policy: the one that ERRATA_POLICY names.
  public init(kind: String, patch: Patch, path: String, policy: TrustPolicy?) {
    self.kind = kind
    self.patch = patch
    self.path = path
    self.policy = policy
  }

  public var lines: [String] {
    [
      "\(path): patch \(patch.identifier.abbreviated), \(patch.extent); from \(derivation.patch.abbreviated), "
        + derivation.change
    ]
  }

  public var json: JSON {
    [
      "output": JSON(path), "patch": JSON(patch.identifier), "derived_from": JSON(derivation.patch),
      "change": JSON(derivation.change),
      "facts": .array(patch.manifest.batches.flatMap { $0.facts.map { JSON($0.identifier) } }),
    ]
  }

  public var notices: [String] { policy.notes(onNewPatch: path) }
}

extension TrustPolicy? {
  /// What the policy that ERRATA_POLICY names has to say of a patch that was just made.
  package func notes(onNewPatch path: String) -> [String] {
    map { ["note: " + $0.remarkOnNewPatch(in: path)] } ?? []
  }
}
