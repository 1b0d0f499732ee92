import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

/// What `errata revert` says when it is done.
struct RevertReport: Answer {
  let kind = "revert"

  let checkpoint: String
  let destination: Destination
  let plan: StatePlan
  /// The arguments that are patches which are not applied.
  let notApplied: [String]
  /// Nil if nothing was written.
  let report: StateReport?
  let notes: [String]

  private var written: String { destination.output ?? checkpoint }

  var lines: [String] {
    let verb = destination.dryRun ? "would revert" : "reverted"
    let entries = plan.state.ledger.patches
    var lines = notApplied.map { "not applied: \($0)" }
    if entries.isEmpty { lines.append("\(checkpoint): has no ledger, so no patch is recorded as applied") }
    lines += plan.reverted.map { file in
      "\(verb) \(file.extent): \(entries.first { $0.patch == file.identifier }!)"
    }
    lines += plan.replaced.map { replacement in
      let entry = entries.first { $0.patch == replacement.old.identifier }!
      return "\(verb) \(entry) in part: \(replacement.new.extent) left, now patch "
        + replacement.new.identifier.abbreviated
    }
    lines.append(
      report.map { "\(written): \(plan.isEmpty ? "copied, no change" : $0.summary(size: formatBytes))" + rest }
        ?? "nothing written")
    return lines
  }

  /// What the edited tensors were compared with, where no patch remains.
  private var rest: String {
    guard plan.entries.isEmpty, !plan.reverted.isEmpty else { return "" }
    let foreign = plan.state.patchesForAnotherBase
    let tensors = inflected(plan.state.ledger.tensors.count, "the edited tensor has", "every edited tensor has")
    let those = inflected(plan.reverted.count, "the patch was", "the patches were")
    return ", no patch is left: \(tensors) "
      + (foreign.isEmpty
        ? "the digest of the base that \(those) made for"
        : "the digest that the ledger recorded when it was edited, which is not that of the base that "
          + "\(foreign.map(\.description).joined(separator: ", ")) \(inflected(foreign.count, "was", "were")) made for")
  }

  var json: JSON {
    [
      "checkpoint": JSON(checkpoint), "output": JSON(report.map { _ in written }),
      "dry_run": .bool(destination.dryRun), "reverted": .array(plan.reverted.map(\.json)),
      "replaced": .array(plan.replaced.map { ["old": JSON($0.old.identifier), "new": JSON($0.new.identifier)] }),
      "not_applied": .array(notApplied.map { JSON($0) }), "notes": .array(notes.map { JSON($0) }),
      "patches_for_another_base": .array(plan.state.patchesForAnotherBase.map { JSON($0.patch) }),
      "remaining": .array(plan.entries.map { JSON($0.patch) }), "result": report?.json ?? .null,
    ]
  }

  var notices: [String] { (report?.copiedFiles ?? []).map(ownFileNotice) + notes.map { "note: \($0)" } }
}
