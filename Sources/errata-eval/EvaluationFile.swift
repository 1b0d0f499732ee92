import EditEvaluation
import Facts
import Foundation
import KnowledgeEditing
import Tensors

/// Results as other programs read them.
enum EvaluationFile {
  static let header = "model,section,metric,value,count,standard_error"
  /// How every line of `--cases` begins: members stand in the order of their names.
  static let caseStart = "{\"case\":"

  /// CSV (RFC 4180), a line for each metric of each checkpoint.
  static func table(_ results: [ModelEvaluation]) -> [String] {
    [header]
      + results.flatMap { result in
        result.sections.flatMap { section in
          section.metrics.map { metric in
            [
              result.model, section.name, metric.name, "\(metric.value)", "\(metric.count)",
              metric.standardError.map { "\($0)" } ?? "",
            ].map(quoted).joined(separator: ",")
          }
        }
      }
  }

  static func quoted(_ field: String) -> String {
    guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
    return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }

  /// The lines of `--cases`.
  static func cases(_ results: [ModelEvaluation]) -> [JSON] {
    results.flatMap { result in
      let facts = factCases(result).map { (section: "facts", value: $0) }
      let questions = result.downstream.flatMap { set, answered in
        zip(set.questions, answered.answers).map { question, answer in
          (section: set.task.rawValue, value: describe(question, answer))
        }
      }
      return (facts + questions).map { section, value -> JSON in
        ["case": value, "model": JSON(result.model), "section": JSON(section)]
      }
    }
  }

  /// - Parameter before: the checkpoint that each fact is compared with; nil if it is not.
  static func factCases(_ result: ModelEvaluation, before: ModelEvaluation? = nil) -> [JSON] {
    (result.scores ?? []).enumerated().map { index, score in
      let record = result.records[index]
      let written = result.generations.flatMap { index < $0.count ? $0[index] : nil }
      var object = JSONObject([
        "fact": JSON(record.fact.identifier), "case_id": record.caseIdentifier.map { JSON($0) } ?? .null,
        "prompt": JSON(record.fact.question), "target_new": JSON(record.fact.targetNew),
        "subject": JSON(record.fact.subject),
        "rewrite": prompts([score.rewrite], written.map { [$0.rewrite] }),
        "paraphrases": prompts(score.paraphrases, written?.paraphrases),
        "neighborhood": prompts(score.neighborhood, written?.neighborhood),
      ])
      if let verdict = result.verdicts?[index] {
        object["holds"] = .bool(verdict.holds)
        object["reply"] = JSON(verdict.reply)
        if let before = before?.verdicts?[index] { object["change"] = JSON(verdict.change(from: before)) }
      }
      if let written {
        object["texts"] = .array(written.texts.map { JSON($0) })
        object["GE"] = JSON(written.entropy.map { 100 * $0 })
        object["RS"] = JSON(written.referenceScore.map { 100 * $0 })
      }
      return .object(object)
    }
  }

  private static func prompts(_ scores: [PromptScore], _ answers: [RecordGeneration.Answer]?) -> JSON {
    .array(
      scores.enumerated().map { index, score in
        var object = JSONObject([
          "probability_new": .double(score.probabilityNew), "probability_true": JSON(score.probabilityTrue),
          "joint_probability_new": .double(score.jointProbabilityNew),
          "joint_probability_true": JSON(score.jointProbabilityTrue),
          "accuracy_new": .double(score.new.accuracy),
          "accuracy_true": JSON(score.true?.accuracy),
        ])
        if let answer = answers?[index] {
          object["continuation"] = JSON(answer.continuation)
          object["match"] = JSON(answer.match.map { "\($0)" })
        }
        return .object(object)
      })
  }

  private static func describe(_ question: DownstreamSet.Question, _ answer: DownstreamAnswer) -> JSON {
    var object = JSONObject([
      "record": .integer(question.record), "label": .bool(question.isPositive),
      "probability_positive": .double(answer.probabilityPositive),
      "probability_negative": .double(answer.probabilityNegative),
    ])
    if let continuation = answer.continuation { object["continuation"] = JSON(continuation) }
    return .object(object)
  }
}
