import EditEvaluation
import FactReporting
import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

/// What `errata edit` says when it is done.
struct EditReport: Answer {
  let kind = "edit"

  let patch: Patch
  let path: String
  let seconds: Double
  /// Of the patch's facts, in their order.
  let verdicts: [FactVerdict]
  let requirement: FactRequirement?
  let profile: ProfileReport?

  private static let rowLimit = 20

  private var facts: [Manifest.Fact] { patch.manifest.batches.flatMap(\.facts) }
  var summary: FactSummary { FactSummary(Array(zip(facts, verdicts))) }
  private var byteCount: Int { patch.writtenByteCount! }

  var lines: [String] {
    var table = TextTable([
      ("subject", .left), ("new target", .left), ("steps", .right), ("P/token before", .right),
      ("P/token after", .right), ("joint after", .right), ("says now", .left),
    ])
    for (fact, verdict) in zip(facts, verdicts).prefix(Self.rowLimit) {
      table.append([
        elide(printable(fact.subject), to: 32), elide(printable(fact.targetNew), to: 24),
        fact.outcome?.steps.map(String.init) ?? "-",
        formatPercent(fact.outcome?.probabilityBefore), formatPercent(fact.outcome?.probabilityAfter),
        formatPercent(fact.outcome?.jointProbabilityAfter), elide(printable(verdict.reply), to: 24),
      ])
    }
    let more = facts.count - Self.rowLimit
    return table.lines + (more > 0 ? ["… and \(more) more ('errata show' lists all)"] : []) + [written]
      + summary.lines(requirement)
  }

  private var written: String {
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
        zip(facts, verdicts).map { fact, verdict in
          let outcome = fact.outcome
          return [
            "fact": JSON(fact.identifier), "subject": JSON(fact.subject), "target_new": JSON(fact.targetNew),
            "steps": JSON(outcome?.steps), "loss": JSON(outcome?.loss),
            "probability_before": JSON(outcome?.probabilityBefore),
            "probability_after": JSON(outcome?.probabilityAfter), "target_tokens": JSON(outcome?.targetTokens),
            "joint_probability_before": JSON(outcome?.jointProbabilityBefore),
            "joint_probability_after": JSON(outcome?.jointProbabilityAfter), "failed": .bool(hasFailed(fact)),
            "holds": .bool(verdict.holds), "reply": JSON(verdict.reply),
          ]
        }),
    ]
  }
}
