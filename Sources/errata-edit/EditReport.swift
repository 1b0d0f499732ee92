import Foundation
import Tensors
import ToolSupport
import WeightPatch

/// What `errata edit` says when it is done.
struct EditReport {
  let patch: Patch
  let path: String
  let seconds: Double

  private var facts: [Manifest.Fact] { patch.manifest.batches.flatMap(\.facts) }
  private var byteCount: Int { patch.writtenByteCount! }

  func print(asJSON: Bool, _ profile: ProfileOptions) {
    if asJSON {
      let result: JSON = [
        "output": JSON(path), "patch": JSON(patch.identifier.description), "bytes": .integer(byteCount),
        "seconds": .double(seconds),
        "facts": .array(
          facts.map {
            [
              "fact": JSON($0.identifier), "subject": JSON($0.subject), "target_new": JSON($0.targetNew),
              "steps": $0.outcome?.steps.map { .integer($0) } ?? .null,
              "loss": $0.outcome?.loss.map { .double($0) } ?? .null,
              "probability_before": $0.outcome?.probabilityBefore.map { .double($0) } ?? .null,
              "probability_after": $0.outcome?.probabilityAfter.map { .double($0) } ?? .null,
              "target_tokens": $0.outcome?.targetTokens.map { .integer($0) } ?? .null,
              "joint_probability_before": $0.outcome?.jointProbabilityBefore.map { .double($0) } ?? .null,
              "joint_probability_after": $0.outcome?.jointProbabilityAfter.map { .double($0) } ?? .null,
              "failed": .bool(hasFailed($0)),
            ]
          }),
      ]
      printJSON(profile.adding(to: result))
      return
    }
    var table = TextTable([
      ("subject", .left), ("new target", .left), ("steps", .right), ("P/token before", .right),
      ("P/token after", .right), ("joint after", .right),
    ])
    let shown = 20
    for fact in facts.prefix(shown) {
      table.append([
        elide(printable(fact.subject), to: 32), elide(printable(fact.targetNew), to: 24),
        fact.outcome?.steps.map(String.init) ?? "-",
        percentage(fact.outcome?.probabilityBefore), percentage(fact.outcome?.probabilityAfter),
        percentage(fact.outcome?.jointProbabilityAfter),
      ])
    }
    for line in table.lines { ToolSupport.print(line) }
    if facts.count > shown { ToolSupport.print("… and \(facts.count - shown) more ('errata show' lists all)") }
    let failed = facts.filter(hasFailed)
    if !failed.isEmpty {
      let labels = failed.prefix(shown).map(\.label).joined(separator: ", ")
      ToolSupport.print(
        "\(failed.count) of \(facts.count) facts failed, with a P after below 5%: \(labels)"
          + (failed.count > shown ? " and others" : ""))
    }
    let tensors = Set(patch.batches.flatMap { $0.tensors.map(\.name) }).count
    ToolSupport.print(
      "\(path): patch \(patch.identifier.abbreviated), \(facts.count) fact\(facts.count == 1 ? "" : "s") in \(tensors) "
        + "tensor\(tensors == 1 ? "" : "s"), \(formatBytes(byteCount)), \(formatDuration(seconds))")
  }

  /// Whether the edit did not make the model believe the fact.
  private func hasFailed(_ fact: Manifest.Fact) -> Bool { fact.outcome?.probabilityAfter.map { $0 < 0.05 } ?? false }

  private func percentage(_ value: Double?) -> String {
    value.map { String(format: "%.1f%%", 100 * $0) } ?? "-"
  }
}
