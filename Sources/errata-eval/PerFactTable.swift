import ArgumentParser
import EditEvaluation
import Facts
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport

/// Each fact by itself: whether it holds on each checkpoint, what they say, and how likely they find the target.
struct PerFactTable {
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case table, csv, markdown
  }

  private let results: [ModelEvaluation]
  private let comparesWithFirst: Bool

  /// - Parameter comparesWithFirst: of two checkpoints, whether the second one changed the fact.
  init(_ results: [ModelEvaluation], comparesWithFirst: Bool) {
    self.results = results.filter { $0.verdicts != nil }
    self.comparesWithFirst = comparesWithFirst && self.results.count == 2
  }

  /// For people.
  var lines: [String] { table.lines + [counts].compactMap { $0 } }

  func print(_ format: Format) {
    switch format {
    case .table: for line in lines { ToolSupport.print(line) }
    case .csv:
      // A field may have several lines.
      ToolSupport.print(
        text: ([header] + rows).map { $0.map(EvaluationFile.quoted).joined(separator: ",") + "\n" }.joined())
    case .markdown:
      for line in [header, header.map { _ in "---" }] + rows {
        ToolSupport.print("| " + line.map(Self.escaped).joined(separator: " | ") + " |")
      }
    }
  }

  private var facts: [FactRecord] { results.first?.records ?? [] }

  private func name(_ index: Int) -> String { facts[index].caseIdentifier ?? facts[index].fact.identifier }

  private func verdict(_ model: Int, _ fact: Int) -> FactVerdict { results[model].verdicts![fact] }

  /// What the second checkpoint made of a fact.
  private func change(_ fact: Int) -> String { verdict(1, fact).change(from: verdict(0, fact)) }

  private var counts: String? {
    guard !results.isEmpty else { return nil }
    let held = results.indices.map { model in
      "\(results[model].model): \(facts.indices.count { verdict(model, $0).holds }) of \(facts.count) hold"
    }
    let flipped = comparesWithFirst ? ["flipped: \(facts.indices.count { change($0).hasPrefix("holds") })"] : []
    return (held + flipped).joined(separator: "; ")
  }

  private var table: TextTable {
    var columns: [(header: String, alignment: TextTable.Alignment)] = [
      ("case", .left), ("prompt", .left), ("target", .left),
    ]
    for result in results {
      columns += [(result.model, .left), ("holds", .left), ("P/token", .right), ("joint P", .right)]
    }
    if comparesWithFirst { columns.append(("", .left)) }
    var table = TextTable(columns)
    for index in facts.indices {
      let fact = facts[index].fact
      var cells = [
        elide(printable(name(index)), to: 16), elide(printable(fact.question), to: 40),
        elide(printable(fact.targetNew), to: 24),
      ]
      for model in results.indices {
        let verdict = verdict(model, index)
        cells += [
          elide(printable(verdict.reply), to: 28), verdict.holds ? "yes" : "no", formatPercent(verdict.probability),
          formatPercent(verdict.jointProbability),
        ]
      }
      table.append(cells + (comparesWithFirst ? [change(index)] : []))
    }
    return table
  }

  // MARK: - For programs

  private var header: [String] {
    ["case", "fact", "prompt", "target", "model", "holds", "reply", "probability", "joint_probability"]
      + (comparesWithFirst ? ["change"] : [])
  }

  private var rows: [[String]] {
    facts.indices.flatMap { index in
      results.indices.map { model in
        let (fact, verdict) = (facts[index].fact, verdict(model, index))
        return [
          name(index), fact.identifier, fact.question, fact.targetNew, results[model].model, "\(verdict.holds)",
          verdict.reply, "\(verdict.probability)", "\(verdict.jointProbability)",
        ] + (comparesWithFirst ? [model == 1 ? change(index) : ""] : [])
      }
    }
  }

  /// In a cell of a Markdown table a bar would end it, and a line break the row.
  private static func escaped(_ field: String) -> String {
    field.replacingOccurrences(of: "|", with: "\\|").replacingOccurrences(of: "\n", with: " ")
  }
}

extension FactVerdict {
  /// What became of a fact of which an earlier checkpoint's verdict was `before`.
  func change(from before: FactVerdict) -> String {
    switch (before.holds, holds) {
    case (false, true): "holds now"
    case (true, false): "holds no longer"
    default: before.reply == reply ? "same" : "says something else"
    }
  }
}
