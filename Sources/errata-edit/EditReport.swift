import Tensors
import ToolSupport
import WeightPatch

/// What `errata edit` says when it is done.
struct EditReport: Answer {
  let kind = "edit"

  let patch: Patch
  let path: String
  let seconds: Double
  let profile: ProfileReport?

  private static let rowLimit = 20

  private var facts: [Manifest.Fact] { patch.manifest.batches.flatMap(\.facts) }
  private var byteCount: Int { patch.writtenByteCount! }

  var lines: [String] {
    var table = TextTable([
      ("subject", .left), ("new target", .left), ("steps", .right), ("P/token before", .right),
      ("P/token after", .right), ("joint after", .right),
    ])
    for fact in facts.prefix(Self.rowLimit) {
      table.append([
        elide(printable(fact.subject), to: 32), elide(printable(fact.targetNew), to: 24),
        fact.outcome?.steps.map(String.init) ?? "-",
        formatPercent(fact.outcome?.probabilityBefore), formatPercent(fact.outcome?.probabilityAfter),
        formatPercent(fact.outcome?.jointProbabilityAfter),
      ])
    }
    let more = facts.count - Self.rowLimit
    return table.lines + (more > 0 ? ["… and \(more) more ('errata show' lists all)"] : []) + failures + [summary]
  }

  private var failures: [String] {
    let failed = facts.filter(hasFailed)
    guard !failed.isEmpty else { return [] }
    let labels = failed.prefix(Self.rowLimit).map(\.label).joined(separator: ", ")
    return [
      "\(failed.count) of \(facts.count) facts failed, with a P after below 5%: \(labels)"
        + (failed.count > Self.rowLimit ? " and others" : "")
    ]
  }

  private var summary: String {
    let tensors = Set(patch.batches.flatMap { $0.tensors.map(\.name) }).count
    return "\(path): patch \(patch.identifier.abbreviated), \(counted(facts.count, "fact")) in "
      + "\(counted(tensors, "tensor")), \(formatBytes(byteCount)), \(formatDuration(seconds))"
  }

  /// Whether the edit did not make the model believe the fact.
  private func hasFailed(_ fact: Manifest.Fact) -> Bool { fact.outcome?.probabilityAfter.map { $0 < 0.05 } ?? false }

  var json: JSON {
    [
      "output": JSON(path), "patch": JSON(patch.identifier), "bytes": .integer(byteCount), "seconds": .double(seconds),
      "facts": .array(
        facts.map { fact in
          let outcome = fact.outcome
          return [
            "fact": JSON(fact.identifier), "subject": JSON(fact.subject), "target_new": JSON(fact.targetNew),
            "steps": JSON(outcome?.steps), "loss": JSON(outcome?.loss),
            "probability_before": JSON(outcome?.probabilityBefore),
            "probability_after": JSON(outcome?.probabilityAfter), "target_tokens": JSON(outcome?.targetTokens),
            "joint_probability_before": JSON(outcome?.jointProbabilityBefore),
            "joint_probability_after": JSON(outcome?.jointProbabilityAfter), "failed": .bool(hasFailed(fact)),
          ]
        }),
    ]
  }
}
