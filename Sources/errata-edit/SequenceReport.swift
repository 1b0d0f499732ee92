import EditEvaluation
import FactReporting
import Foundation
import Tensors
import ToolSupport

/// What `errata edit --batch-size` says when it is done.
struct SequenceReport: Answer {
  let kind = "edit.sequence"

  let steps: [SequentialEdit.Step]
  /// Of all facts, after the last batch; nil if they were not looked at.
  let summary: FactSummary?
  let requirement: FactRequirement?
  /// nil if the patches do not tell.
  let movement: SequenceMovement?
  let profile: ProfileReport?

  var lines: [String] {
    guard steps.contains(where: { $0.scores != nil }) else {
      return steps.map { "\($0.path): patch \($0.patch.abbreviated), \(counted($0.factCount, "fact"))" }
        + (movement?.lines ?? [])
    }
    let scores = ["ES", "PS", "NS", "S"].map { (header: $0, alignment: TextTable.Alignment.right) }
    var table = TextTable([("patch", .left), ("facts", .right)] + scores + [("facts so far", .right)] + scores)
    var done = 0
    for step in steps {
      done += step.factCount
      table.append(
        [step.path, String(step.factCount)] + columns(step.scores?.own) + [String(done)] + columns(step.scores?.all))
    }
    return table.lines + (movement?.lines ?? []) + (summary?.lines(requirement) ?? [])
  }

  private func columns(_ scores: ScoreSummary?) -> [String] {
    [scores?.efficacy, scores?.paraphrase, scores?.neighborhood, scores?.harmonicMean].map { value in
      value.map { String(format: "%.1f", $0) } ?? "-"
    }
  }

  var json: JSON {
    [
      "patches": .array(
        steps.map { step in
          [
            "output": JSON(step.path), "patch": JSON(step.patch), "fact_count": .integer(step.factCount),
            "batch": step.scores?.own.json ?? .null, "all": step.scores?.all.json ?? .null,
          ]
        }),
      "facts": summary?.json ?? .null,
      "moved": movement?.json ?? .null,
    ]
  }
}
