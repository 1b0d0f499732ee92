import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

/// What is said of a patch that was read, and so is whole.
struct PatchAnswer: Answer {
  let kind = "verify.patch"

  let file: PatchFile
  let signatures: SignatureReport

  var lines: [String] {
    ["\(printable(file.path)): patch \(file.identifier), \(file.extent): seal, structure and digests hold"]
      + signatures.signatures.map { printable("signature \($0.frame): \($0)") }
  }

  var json: JSON {
    var object = JSONObject([
      "file": JSON(file.path), "extent": JSON(file.extent), "verified": .bool(signatures.holds),
    ])
    for (key, value) in signatures.json.objectValue!.members { object[key] = value }
    return .object(object)
  }
}

/// What is said of a checkpoint: that it is what it should be, or every tensor and file that is not; and what was
/// compared with what.
struct CheckpointAnswer: Answer {
  let kind = "verify.checkpoint"

  let report: VerificationReport
  /// Of the patches, in their order.
  let signatures: [SignatureReport]
  /// The path of the base that it was compared with.
  let base: String?
  let asksForSignatures: Bool
  /// What the directory holds besides the checkpoint.
  let otherWeights: String?

  /// Whether signatures are asked for and there is nothing that they could speak for: the ledger could have been taken
  /// away.
  var isUnknown: Bool { asksForSignatures && report.patches.isEmpty && base == nil }

  var lines: [String] {
    let findings =
      report.findings.map { "\($0.tensor): \($0.problem)" } + report.fileFindings.map { "\($0.file): \($0.problem)" }
      + (report.isOnlyOfType ? ["only the dtype differs: compare with a base in the same type"] : [])
    let notes =
      report.patchesForAnotherBase.map { "note: \($0) was made for another base" }
      + report.patchesWithoutParents.map { "note: \($0) was computed on top of patches that are not here" }
      + (otherWeights.map { ["note: " + $0] } ?? [])
    return (report.holds ? ["\(report.checkpoint): \(verdict)"] : findings) + notes
      + signatureLines
  }

  /// What the patches carry, and, where signatures are asked for, which patches carry none.
  private var signatureLines: [String] {
    zip(report.patches, signatures).flatMap { entry, patch in
      if patch.signatures.isEmpty, patch.policy != nil { return ["\(entry): not signed"] }
      return patch.signatures.map { "\(entry): signature \($0.frame): \($0)" }
    }
  }

  private var verdict: String {
    guard let base else { return verdictWithoutBase }
    let number = report.checked.count
    let tensors = (number == 1 ? "its one tensor is that of " : "all \(number) tensors are those of ") + base
    let patches = report.patches.isEmpty ? "" : " plus \(patchCount) (\(report.edited.count) edited)"
    return tensors + patches + files + ", bit for bit" + (report.areNamed ? "; the ledger was not looked at" : "")
  }

  private var files: String {
    guard let files = report.comparedFiles else { return "" }
    return ", and \(files.count == 1 ? "\(files[0]) is" : "\(files.count) files beside the weights are") the same"
  }

  private var verdictWithoutBase: String {
    guard !report.patches.isEmpty else {
      return isUnknown
        ? "no ledger: no patch is recorded that could be signed"
        : "no ledger, and so nothing to compare its \(counted(report.tensorCount, "tensor")) with: "
          + "--base compares them with a base"
    }
    let tensors = counted(
      report.edited.count, "edited tensor is its recorded base", "edited tensors are their recorded bases")
    let others = report.tensorCount - report.edited.count
    let rest =
      (others == 0 ? [] : [counted(others, "other tensor")])
      + (report.fileCount == 0 ? [] : [counted(report.fileCount, "file") + " beside the weights"])
    return "\(tensors) plus \(patchCount), bit for bit"
      + (rest.isEmpty
        ? ""
        : "; \(rest.joined(separator: " and ")) \(inflected(others + report.fileCount, "was", "were")) not compared "
          + "(--base)")
  }

  private var patchCount: String { counted(report.patches.count, "patch", "patches") }

  var json: JSON {
    var object = report.json.objectValue!
    object["base"] = JSON(base)
    object["patches"] = .array(signatures.map(\.json))
    object["verified"] = JSON(isVerified)
    object["notes"] = .array([otherWeights].compactMap { $0.map { JSON($0) } })
    return .object(object)
  }

  /// nil where nothing was compared and nothing asked for.
  private var isVerified: Bool? {
    if !report.holds || isUnknown || !signatures.allSatisfy(\.holds) { return false }
    if asksForSignatures, (try? report.checkWhatWasSigned()) == nil { return false }
    return report.checked.isEmpty ? nil : true
  }
}
