import Tensors
import WeightPatch

/// What the verification of a checkpoint found.
public struct VerificationReport: Sendable {
  /// The checkpoint's path, as given.
  public let checkpoint: String
  /// The patches that are to be in it: those of its ledger, none without one; or those that were named.
  public let patches: [Ledger.Entry]
  /// Whether the patches were named, and the ledger was not looked at.
  package var areNamed = false
  /// Those of the patches that say that they were made for another base: they were applied by force.
  public let patchesForAnotherBase: [Ledger.Entry]
  /// Those that were computed on top of others which are not here.
  package var patchesWithoutParents: [Ledger.Entry] = []
  /// The number of tensors of the checkpoint.
  package var tensorCount = 0
  /// The number of files beside the weights that decide what the model says.
  package var fileCount = 0
  /// The tensors that were looked at: the edited ones, or, compared with a base, all.
  public let checked: [ByteString]
  /// Those that patches edit, in order of name.
  public let edited: [EditedTensor]
  /// In order of tensor; a tensor may have two.
  public let findings: [TensorFinding]
  /// The files beside the weights that were compared with the base's, in order of name; nil without a base, or where
  /// the checkpoint or the base is a bare file.
  package var comparedFiles: [String]?
  /// Those of them that are not the base's.
  package var fileFindings: [FileFinding] = []

  /// Whether nothing is found but tensors that are stored in another type than the base's, with the same values or
  /// rounded.
  public var isOnlyOfType: Bool {
    !findings.isEmpty
      && findings.allSatisfy {
        guard case .retyped(_, _, let values?) = $0.problem else { return false }
        return values != .otherValues
      }
  }

  /// A tensor that patches edit.
  public struct EditedTensor: Sendable {
    public let name: ByteString
    /// Its digests as the ledger has them, or as base and named patches give them.
    public let recorded: Ledger.TensorState
    /// Its digest now; nil if the checkpoint has no such tensor.
    public let found: Digest?
  }

  /// Whether everything that was compared is what it should be.
  package var holds: Bool { findings.isEmpty && fileFindings.isEmpty }

  /// Throws unless everything holds.
  ///
  /// - Throws: an `ErrataError` (verification).
  public func check() throws {
    guard !holds else { return }
    throw ErrataError.doesNotVerify(self)
  }

  /// Throws if a patch is on something else than what it was made for: whoever signed it did not sign that.
  ///
  /// - Throws: an `ErrataError` (verification).
  package func checkWhatWasSigned() throws {
    if !patchesForAnotherBase.isEmpty { throw ErrataError.signedForAnotherBase(checkpoint, patchesForAnotherBase) }
    if !patchesWithoutParents.isEmpty { throw ErrataError.signedOnTopOfOthers(checkpoint, patchesWithoutParents) }
  }
}

extension VerificationReport {
  /// The report's members of a tool's `--json`.
  public var json: JSON {
    [
      "checkpoint": JSON(checkpoint), "verified": .bool(holds),
      "patches_for_another_base": .array(patchesForAnotherBase.map { JSON($0.patch) }),
      "patches_without_parents": .array(patchesWithoutParents.map { JSON($0.patch) }),
      "tensor_count": .integer(tensorCount), "checked_tensor_count": .integer(checked.count),
      "edited": .array(
        edited.map { tensor in
          [
            "tensor": .string(tensor.name), "base": JSON(tensor.recorded.base),
            "expected": JSON(tensor.recorded.current), "now": JSON(tensor.found),
          ]
        }),
      "findings": .array(
        findings.map { finding in
          [
            "tensor": .string(finding.tensor), "problem": JSON(finding.problem.name),
            "text": JSON(finding.problem.description),
          ]
        }),
      "files_checked": comparedFiles.map { .array($0.map { JSON($0) }) } ?? .null,
      "file_findings": .array(
        fileFindings.map { finding in
          [
            "file": JSON(finding.file), "problem": JSON(finding.problem.name),
            "text": JSON(finding.problem.description),
          ]
        }),
    ]
  }
}
