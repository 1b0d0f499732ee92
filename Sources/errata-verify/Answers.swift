import Tensors
import ToolSupport
import WeightPatch

/// What is said of a patch that was read, and so is whole.
struct PatchAnswer {
  let file: PatchFile
  let signatures: SignatureReport

  var lines: [String] {
    ["\(printable(file.path)): patch \(file.identifier), \(file.extent): seal, structure and digests hold"]
      + signatures.signatures.map { printable("signature \($0.frame): \($0)") }
  }

  var json: JSON {
    [
      "file": JSON(file.path), "patch": JSON(file.identifier.description), "extent": JSON(file.extent),
      "verified": .bool(signatures.holds), "signatures": signatures.json,
    ]
  }
}

/// What is said of a checkpoint: that it is what it should be, or every tensor that is not.
struct CheckpointAnswer {
  let report: VerificationReport
  /// Of the applied patches, in their order.
  let signatures: [SignatureReport]
  /// The path of the base that it was compared with.
  let base: String?
  /// Whether signatures are asked for and there is nothing that they could speak for.
  let isUnknown: Bool

  var lines: [String] {
    let foreign = report.patchesForAnotherBase.map { "note: \(printable($0.description)) was made for another base" }
    guard report.findings.isEmpty else {
      return report.findings.map { printable("\($0.tensor): \($0.problem)") }
        + (report.isOnlyOfType ? ["only the dtype differs: compare with a base in the same type"] : [])
        + foreign + signatureLines
    }
    return [printable("\(report.checkpoint): \(verdict)")] + foreign + signatureLines
  }

  /// What the patches carry, and, where signatures are asked for, which patches carry none.
  private var signatureLines: [String] {
    zip(report.patches, signatures).flatMap { entry, patch in
      if patch.signatures.isEmpty, patch.policy != nil { return [printable("\(entry): not signed")] }
      return patch.signatures.map { printable("\(entry): signature \($0.frame): \($0)") }
    }
  }

  private var verdict: String {
    let patches = count(report.patches.count, "patch", "patches")
    if let base {
      let number = report.checked.count
      let tensors = (number == 1 ? "its one tensor is that of " : "all \(number) tensors are those of ") + base
      return report.patches.isEmpty
        ? "\(tensors), bit for bit" : "\(tensors) plus \(patches) (\(report.edited.count) edited), bit for bit"
    }
    if isUnknown { return "no ledger: no patch is applied that could be signed" }
    if report.patches.isEmpty { return "no ledger: pristine as far as Errata knows (--base compares it with its base)" }
    let tensors = count(report.edited.count, "edited tensor is its", "edited tensors are their")
    return "\(tensors) base plus \(patches), bit for bit"
  }

  var json: JSON {
    var object = report.json.objectValue!
    object["base"] = base.map { JSON($0) } ?? .null
    object["signatures"] = .array(signatures.map(\.json))
    object["verified"] = .bool(report.findings.isEmpty && !isUnknown && signatures.allSatisfy(\.holds))
    return .object(object)
  }

  private func count(_ number: Int, _ one: String, _ several: String) -> String {
    "\(number) \(number == 1 ? one : several)"
  }
}
