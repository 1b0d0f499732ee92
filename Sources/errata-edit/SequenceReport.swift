import EditEvaluation
import Foundation
import Tensors
import ToolSupport

/// What `errata edit --batch-size` says when it is done.
struct SequenceReport {
  /// One batch and how the facts fare after it.
  struct Step {
    let path: String
    let patch: Digest
    let factCount: Int
    /// The scores of the batch's own facts.
    let own: ScoreSummary?
    /// Of all facts so far.
    let all: ScoreSummary?

    var json: JSON {
      [
        "output": JSON(path), "patch": JSON(patch.description), "facts": .integer(factCount),
        "batch": own?.json ?? .null, "all": all?.json ?? .null,
      ]
    }
  }

  let steps: [Step]

  func print(asJSON: Bool, _ profile: ProfileOptions) {
    if asJSON { return printJSON(profile.adding(to: ["patches": .array(steps.map(\.json))])) }
    guard steps.contains(where: { $0.all != nil }) else {
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
      table.append([step.path, String(step.factCount)] + columns(step.own) + [String(done)] + columns(step.all))
    }
    for line in table.lines { ToolSupport.print(line) }
  }

  private func columns(_ scores: ScoreSummary?) -> [String] {
    [scores?.efficacy, scores?.paraphrase, scores?.neighborhood, scores?.harmonicMean].map { value in
      value.map { String(format: "%.1f", $0) } ?? "-"
    }
  }
}
