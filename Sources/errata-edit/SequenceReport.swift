import EditEvaluation
import Foundation
import Tensors
import ToolSupport

/// What `errata edit --batch-size` says when it is done.
struct SequenceReport {
  let steps: [SequentialEdit.Step]

  func print(asJSON: Bool, _ profile: ProfileOptions) {
    if asJSON { return printJSON(profile.adding(to: ["patches": .array(steps.map(json))])) }
    guard steps.contains(where: { $0.scores != nil }) else {
      for step in steps { ToolSupport.print("\(step.path): patch \(step.patch.abbreviated), \(step.factCount) facts") }
      return
    }
    var table = TextTable(
      [("patch", .left), ("facts", .right)]
        + ["ES", "PS", "NS", "S"].map { ($0, .right) } + [("facts so far", .right)]
        + ["ES", "PS", "NS", "S"].map { ($0, .right) })
    var done = 0
    for step in steps {
      done += step.factCount
      table.append(
        [step.path, String(step.factCount)] + columns(step.scores?.own) + [String(done)] + columns(step.scores?.all))
    }
    for line in table.lines { ToolSupport.print(line) }
  }

  private func json(_ step: SequentialEdit.Step) -> JSON {
    [
      "output": JSON(step.path), "patch": JSON(step.patch.description), "facts": .integer(step.factCount),
      "batch": step.scores?.own.json ?? .null, "all": step.scores?.all.json ?? .null,
    ]
  }

  private func columns(_ scores: ScoreSummary?) -> [String] {
    [scores?.efficacy, scores?.paraphrase, scores?.neighborhood, scores?.harmonicMean].map { value in
      value.map { String(format: "%.1f", $0) } ?? "-"
    }
  }
}
