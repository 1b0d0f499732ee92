import EditEvaluation
import Foundation
import ToolSupport

enum ScoreTable {
  /// One row per checkpoint.
  static func lines(_ rows: [(name: String, summary: ScoreSummary)]) -> [String] {
    func cell(_ value: Double?) -> String { value.map { String(format: "%.1f", $0) } ?? "-" }
    var table = TextTable([
      ("checkpoint", .left), ("records", .right), ("ES", .right), ("PS", .right), ("NS", .right), ("S", .right),
      ("P(new)", .right),
    ])
    for (name, summary) in rows {
      table.append([
        name, String(summary.recordCount), cell(summary.efficacy), cell(summary.paraphrase),
        cell(summary.neighborhood), cell(summary.harmonicMean), cell(summary.probabilityNew),
      ])
    }
    return table.lines
  }
}
