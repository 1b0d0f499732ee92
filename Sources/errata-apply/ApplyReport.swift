import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

/// What `errata apply` says when it is done.
struct ApplyReport: Answer {
  let kind = "apply"

  let checkpoint: String
  let destination: Destination
  let plan: StatePlan
  /// Nil if nothing was written.
  let report: StateReport?
  let notes: [String]

  private var written: String { destination.output ?? checkpoint }

  var lines: [String] {
    let verb = destination.dryRun ? "would apply" : "applied"
    var lines = plan.alreadyApplied.map { file in
      let signs = plan.signed.contains { $0.identifier == file.identifier }
      return "already applied: \(file.name) (\(file.identifier.abbreviated))"
        + (signs ? "; its new signatures \(destination.dryRun ? "would come" : "came") into the ledger" : "")
    }
    lines += plan.applied.map { "\(verb) \($0.extent): \($0.name) (\($0.identifier.abbreviated))" }
    lines.append(
      report.map { "\(written): \(plan.isEmpty ? "copied, no change" : $0.summary(size: formatBytes))" }
        ?? "nothing written")
    return lines
  }

  var json: JSON {
    let leftOut = plan.applied.flatMap(\.manifest.batches).flatMap { batch in
      batch.leftOut.keys.sorted().map { (tensor: $0, reason: batch.leftOut[$0]!) }
    }
    return [
      "checkpoint": JSON(checkpoint), "output": JSON(report.map { _ in written }),
      "dry_run": .bool(destination.dryRun),
      "applied": .array(plan.applied.map(\.json)), "already_applied": .array(plan.alreadyApplied.map(\.json)),
      "signed": .array(plan.signed.map(\.json)), "notes": .array(notes.map { JSON($0) }),
      "left_out": .array(leftOut.map { ["tensor": .string($0.tensor), "reason": JSON($0.reason)] }),
      "fits_base": .bool(plan.fitsBase), "result": report?.json ?? .null,
    ]
  }

  var notices: [String] { (report?.copiedFiles ?? []).map(ownFileNotice) + notes.map { "note: \($0)" } }
}
