import EditEvaluation
import Foundation
import ToolSupport

/// The table for a terminal: a row for each metric, a column for each checkpoint, and behind each but the first the
/// change from the first.
enum EvaluationTable {
  static func lines(_ results: [ModelEvaluation]) -> [String] {
    var columns: [(header: String, alignment: TextTable.Alignment)] = [("metric", .left)]
    for (index, result) in results.enumerated() {
      columns.append((result.model + (result.isPartial ? " (partial)" : ""), .right))
      if index > 0 { columns.append(("change", .right)) }
    }
    var table = TextTable(columns)
    for section in sections(results) {
      table.append([heading(section, results)] + Array(repeating: "", count: columns.count - 1))
      for name in metrics(section, results) {
        let found = results.map { $0.metric(section, name) }
        var cells = ["  " + label(name)]
        for (index, metric) in found.enumerated() {
          cells.append(metric.map { cell($0) } ?? "-")
          if index > 0 { cells.append(change(found[0], metric)) }
        }
        table.append(cells)
      }
    }
    return table.lines
  }

  /// What the row of a metric is called where nothing explains it.
  private static func label(_ metric: String) -> String { metric == "P(new)" ? "P(new) per token" : metric }

  /// In the order in which they were measured first.
  private static func sections(_ results: [ModelEvaluation]) -> [String] {
    unique(results.flatMap { $0.sections.map(\.name) })
  }

  private static func metrics(_ section: String, _ results: [ModelEvaluation]) -> [String] {
    unique(results.flatMap { $0.sections.filter { $0.name == section }.flatMap { $0.metrics.map(\.name) } })
  }

  private static func unique(_ names: [String]) -> [String] {
    names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// The section's name, and how many cases it is of, if that is the same for all.
  private static func heading(_ section: String, _ results: [ModelEvaluation]) -> String {
    let counts = Set(results.compactMap { $0.caseCount(section) })
    guard counts.count == 1, let count = counts.first else { return section }
    return "\(section), \(count)"
  }

  private static func cell(_ metric: Metric) -> String {
    let text = number(metric, metric.value)
    return metric.standardError.map { "\(text) ± \(number(metric, $0))" } ?? text
  }

  private static func change(_ first: Metric?, _ metric: Metric?) -> String {
    guard let first, let metric else { return "" }
    let difference = metric.value - first.value
    return (difference < 0 ? "-" : "+") + number(metric, abs(difference))
  }

  private static func number(_ metric: Metric, _ value: Double) -> String {
    switch metric.name {
    case "perplexity": String(format: "%.2f", value)
    case "nats per token", "bits per byte": String(format: "%.4f", value)
    default: String(format: "%.1f", value)
    }
  }
}

extension ModelEvaluation {
  /// What a section was measured on, in words.
  fileprivate func caseCount(_ section: String) -> String? {
    switch section {
    case "facts": scores.map { "\($0.count) records" }
    case "collateral": collateral.map { "\($0.cases.count) prompts" }
    case "generation": generations.map { "\($0.count) records" }
    case "perplexity": perplexity.map { "\($0.tokenCount) tokens" }
    default:
      downstream.first { $0.set.task.rawValue == section }.map { set, result in
        "\(result.answers.count) questions" + (set.examples.isEmpty ? "" : ", \(set.examples.count) examples")
      }
    }
  }
}
