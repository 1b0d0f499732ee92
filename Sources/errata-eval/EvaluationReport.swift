import EditEvaluation
import Tensors
import ToolSupport

/// What `errata eval` says of one checkpoint.
struct EvaluationReport: Answer {
  let kind = "eval"

  let result: ModelEvaluation
  /// The checkpoint that each fact is compared with; nil if it is not.
  let before: ModelEvaluation?
  let profile: ProfileReport?

  var lines: [String] { EvaluationTable.lines([result]) }

  var json: JSON {
    var object = JSONObject(["model": JSON(result.model), "partial": .bool(result.isPartial)])
    if let scores = result.scores { object["summary"] = ScoreSummary(scores).json }
    object["sections"] = .array(
      result.sections.map {
        [
          "section": JSON($0.name), "seconds": .double(result.seconds[$0.name] ?? 0),
          "metrics": .array($0.metrics.map(\.json)),
        ]
      })
    if result.scores != nil { object["cases"] = .array(EvaluationFile.factCases(result, before: before)) }
    if let collateral = result.collateral { object["collateral"] = collateral.json }
    return .object(object)
  }
}
