import EditEvaluation
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

  private static func quoted(_ field: String) -> String {
    guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
    return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }

  /// What `--json` prints of a checkpoint.
  static func json(_ result: ModelEvaluation) -> JSON {
    var object = JSONObject(["model": JSON(result.model), "partial": .bool(result.isPartial)])
    if let scores = result.scores { object["summary"] = ScoreSummary(scores).json }
    object["sections"] = .array(
      result.sections.map {
        [
          "section": JSON($0.name), "seconds": .double(result.seconds[$0.name] ?? 0),
          "metrics": .array($0.metrics.map(\.json)),
        ]
      })
    if result.scores != nil { object["cases"] = .array(factCases(result)) }
    return .object(object)
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

  private static func factCases(_ result: ModelEvaluation) -> [JSON] {
    (result.scores ?? []).enumerated().map { index, score in
      let record = result.records[index]
      let written = result.generations.flatMap { index < $0.count ? $0[index] : nil }
      var object = JSONObject([
        "fact": JSON(record.fact.identifier), "subject": JSON(record.fact.subject),
        "rewrite": prompts([score.rewrite], written.map { [$0.rewrite] }),
        "paraphrases": prompts(score.paraphrases, written?.paraphrases),
        "neighborhood": prompts(score.neighborhood, written?.neighborhood),
      ])
      if let written {
        object["texts"] = .array(written.texts.map { JSON($0) })
        object["GE"] = written.entropy.map { .double(100 * $0) } ?? .null
        object["RS"] = written.referenceScore.map { .double(100 * $0) } ?? .null
      }
      return .object(object)
    }
  }

  private static func prompts(_ scores: [PromptScore], _ answers: [RecordGeneration.Answer]?) -> JSON {
    .array(
      scores.enumerated().map { index, score in
        var object = JSONObject([
          "P(new)": .double(score.probabilityNew), "P(true)": score.probabilityTrue.map { .double($0) } ?? .null,
          "joint P(new)": .double(score.jointProbabilityNew),
          "joint P(true)": score.jointProbabilityTrue.map { .double($0) } ?? .null,
          "accuracy(new)": .double(score.new.accuracy),
          "accuracy(true)": score.true.map { .double($0.accuracy) } ?? .null,
        ])
        if let answer = answers?[index] {
          object["continuation"] = JSON(answer.continuation)
          object["match"] = answer.match.map { JSON("\($0)") } ?? .null
        }
        return .object(object)
      })
  }

  private static func describe(_ question: DownstreamSet.Question, _ answer: DownstreamAnswer) -> JSON {
    var object = JSONObject([
      "record": .integer(question.record), "label": .bool(question.isPositive),
      "P(positive)": .double(answer.probabilityPositive), "P(negative)": .double(answer.probabilityNegative),
    ])
    if let continuation = answer.continuation { object["continuation"] = JSON(continuation) }
    return .object(object)
  }
}
