import EditEvaluation
import Facts
import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

/// What `errata facts check` and `errata edit --dry-run` say.
public struct FactCheckReport: Answer {
  public let kind = "facts.check"

  private let check: FactCheck
  private let path: String
  private let estimate: ValueSearch.Estimate?

  /// - Parameter path: the facts file's.
  public init(_ check: FactCheck, path: String, estimate: ValueSearch.Estimate?) {
    self.check = check
    self.path = path
    self.estimate = estimate
  }

  public var lines: [String] { (check.findings.isEmpty ? [] : table + [""]) + remarks + [summary] }

  /// - Throws: an `ErrataError` if an edit would refuse these facts.
  public func requireUsable() throws {
    let count = check.problemCount
    if count > 0 { throw ErrataError.factsHaveProblems(path, count) }
  }

  private func place(_ index: Int) -> String { place(check.findings[index].record, index) }

  private func place(_ record: FactRecord, _ index: Int) -> String { String(record.place?.record ?? index) }

  private var table: [String] {
    var table = TextTable([
      ("record", .right), ("prompt", .left), ("target", .left), ("tokens", .right), ("looked up at", .left),
      ("says now", .left), ("P", .right), ("P(target)", .right), ("", .left),
    ])
    for (index, finding) in check.findings.enumerated() {
      let fact = finding.record.fact
      table.append([
        place(index), elide(printable(fact.question), to: 40),
        elide(printable("\"\(finding.prefix)\(fact.targetNew)\""), to: 28),
        "\(finding.tokens.count)+\(finding.targetTokenCount)",
        "\(finding.lookup): \(elide(printable(lookedUp(finding)), to: 16))",
        elide(printable(finding.verdict.reply), to: 28), formatPercent(finding.verdict.replyProbability),
        formatPercent(finding.verdict.jointProbability), finding.isKnown ? "known" : "",
      ])
    }
    return table.lines
  }

  /// The token at which the edit is written; of one that is a part of a character, the character.
  private func lookedUp(_ finding: FactCheck.Finding) -> String {
    let token = finding.tokens[finding.lookup]
    return token.contains("\u{FFFD}") ? String(finding.record.fact.subject.suffix(1)) : token
  }

  private var remarks: [String] {
    let findings = check.findings
    func label(_ index: Int) -> String { findings[index].record.fact.label }
    return check.unusable.map { "record \(place($0.record, 0)): cannot be used: \($0.error.worded)" }
      + check.contradictions.map {
        "records \(place($0.first)) and \(place($0.second)) contradict each other: \(label($0.first)) and "
          + label($0.second)
      } + check.repeats.map { "records \(place($0[0])) and \(place($0[1])) repeat each other: \(label($0[0]))" }
      + findings.indices.compactMap { index in
        findings[index].otherwise.map { other in
          "record \(place(index)): the model would write \"\(other.target)\": P "
            + "\(formatPercent(other.probability)), against "
            + "\(formatPercent(findings[index].verdict.jointProbability)) for "
            + "\"\(findings[index].prefix)\(findings[index].record.fact.targetNew)\""
        }
      }
      + check.sharedSubjects.map { shared in
        "records \(shared.facts.map { place($0) }.joined(separator: ", ")) share the subject \"\(shared.subject)\""
      } + check.notes
  }

  private var summary: String {
    let known = check.findings.count(where: \.isKnown)
    let count = check.findings.count + check.unusable.count
    var parts = ["\(counted(count, "fact")): \(check.findings.count - known) to edit"]
    if known > 0 { parts.append("\(known) known already") }
    if !check.unusable.isEmpty { parts.append("\(check.unusable.count) cannot be used") }
    if !check.contradictions.isEmpty { parts.append(counted(check.contradictions.count, "contradiction")) }
    if !check.repeats.isEmpty { parts.append("\(check.repeats.count) repeated") }
    let cost = estimate.map {
      "; an edit takes at most \(formatDuration($0.seconds)) here, and \(formatBytes($0.byteCount)) beside the weights"
    }
    return parts.joined(separator: ", ") + (cost ?? "")
  }

  public var json: JSON {
    func pair(_ first: Int, _ second: Int) -> JSON { .array([JSON(place(first)), JSON(place(second))]) }
    return [
      "facts": .array(check.findings.indices.map(describe)),
      "unusable": .array(
        check.unusable.map {
          [
            "record": JSON(place($0.record, 0)), "fact": JSON($0.record.fact.identifier),
            "problem": JSON($0.error.worded),
          ]
        }),
      "contradictions": .array(check.contradictions.map { pair($0.first, $0.second) }),
      "repeats": .array(check.repeats.map { pair($0[0], $0[1]) }),
      "shared_subjects": .array(
        check.sharedSubjects.map {
          ["subject": JSON($0.subject), "records": .array($0.facts.map { JSON(place($0)) })]
        }),
      "notes": .array(check.notes.map { JSON($0) }),
      "estimate": estimate.map { ["seconds": .double($0.seconds), "bytes": .integer($0.byteCount)] } ?? .null,
    ]
  }

  private func describe(_ index: Int) -> JSON {
    let finding = check.findings[index]
    let fact = finding.record.fact
    return [
      "record": JSON(place(index)), "fact": JSON(fact.identifier), "subject": JSON(fact.subject),
      "prompt": JSON(fact.question), "target_new": JSON(fact.targetNew), "separator": JSON(finding.prefix),
      "tokens": .array(finding.tokens.map { JSON($0) }), "lookup": .integer(finding.lookup),
      "target_tokens": .integer(finding.targetTokenCount), "reply": JSON(finding.verdict.reply),
      "reply_probability": .double(finding.verdict.replyProbability),
      "probability": .double(finding.verdict.probability),
      "joint_probability": .double(finding.verdict.jointProbability), "known": .bool(finding.isKnown),
      "otherwise": finding.otherwise.map {
        ["target": JSON($0.target), "joint_probability": .double($0.probability)]
      } ?? .null,
    ]
  }
}
