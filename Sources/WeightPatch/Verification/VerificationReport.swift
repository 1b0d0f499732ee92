import Tensors

/// What the verification of a checkpoint found.
public struct VerificationReport: Sendable {
  /// The checkpoint's path, as given.
  public let checkpoint: String
  /// The applied patches; none for a checkpoint without a ledger.
  public let patches: [Ledger.Entry]
  /// Those of them that say that they were made for another base: they were applied by force.
  public let patchesForAnotherBase: [Ledger.Entry]
  /// The tensors that were looked at: the edited ones, or, compared with a base, all.
  public let checked: [ByteString]
  /// Those that patches edit, in order of name.
  public let edited: [EditedTensor]
  /// In order of tensor; a tensor may have two.
  public let findings: [TensorFinding]

  /// Whether nothing is found but tensors that are stored in another type than the base's, with the same values or rounded.
  public var isOnlyOfType: Bool {
    !findings.isEmpty
      && findings.allSatisfy {
        guard case .retyped(_, _, let values?) = $0.problem else { return false }
        return values != .otherValues
      }
  }

  /// A tensor that the ledger names.
  public struct EditedTensor: Sendable {
    public let name: ByteString
    /// Its digests as the ledger has them.
    public let recorded: Ledger.TensorState
    /// Its digest now; nil if the checkpoint has no such tensor.
    public let found: Digest?
  }

  /// Throws unless everything holds.
  ///
  /// - Throws: an `ErrataError` (verification).
  public func check() throws {
    guard !findings.isEmpty else { return }
    throw ErrataError.doesNotVerify(checkpoint, failed: Set(findings.map(\.tensor)).count, checked: checked.count)
  }
}

extension VerificationReport {
  /// The report's members of a tool's `--json`.
  public var json: JSON {
    [
      "checkpoint": JSON(checkpoint), "verified": .bool(findings.isEmpty),
      "patches": .array(patches.map { JSON($0.patch.description) }),
      "patches_for_another_base": .array(patchesForAnotherBase.map { JSON($0.patch.description) }),
      "tensors_checked": .integer(checked.count),
      "edited": .array(
        edited.map { tensor in
          [
            "name": .string(tensor.name), "base": JSON(tensor.recorded.base.description),
            "ledger": JSON(tensor.recorded.current.description),
            "now": tensor.found.map { JSON($0.description) } ?? .null,
          ]
        }),
      "findings": .array(
        findings.map { finding in
          [
            "tensor": .string(finding.tensor), "problem": JSON(finding.problem.name),
            "text": JSON(finding.problem.description),
          ]
        }),
    ]
  }
}
