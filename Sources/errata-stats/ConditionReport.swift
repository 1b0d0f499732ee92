import Foundation
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport

/// What a second-moment file holds, and how well each layer's C can be inverted.
struct ConditionReport: Answer {
  let kind = "stats"

  let statistics: SecondMoments
  let conditions: [SecondMomentCondition]
  var profile: ProfileReport?

  /// - Parameter ridge: judged as if `errata edit --ridge` added it.
  init(_ path: String, ridge: Double = 0) throws {
    let statistics = try SecondMoments(contentsOf: path)
    self.statistics = statistics
    conditions = try statistics.layers.map { try SecondMomentCondition(statistics, layer: $0, ridge: ridge) }
  }

  var lines: [String] {
    let layers = statistics.layers.map(String.init).joined(separator: ", ")
    var table = TextTable([
      ("layer", .right), ("tokens per value", .right), ("condition", .right), ("smallest pivot", .right),
      ("always zero", .right), ("verdict", .left),
    ])
    for condition in conditions {
      table.append([
        String(condition.layer), String(format: "%.1f", condition.tokensPerValue),
        condition.condition.map { String(format: "%.1e", $0) } ?? "-",
        condition.smallestPivot.map { String(format: "%.1e", $0) } ?? "-", String(condition.deadFeatures),
        condition.advice,
      ])
    }
    let special = statistics.origin.specialTokens
    let around = [("before", special.before), ("after", special.after)].filter { !$1.isEmpty }
      .map { "\($1.joined(separator: " ")) \($0)" }
    return [
      printable(
        "\(statistics.path): second moments of \(inflected(statistics.layers.count, "layer")) \(layers) over "
          + "\(statistics.tokenCount) tokens of \(statistics.origin.corpus)"),
      printable(
        "model \(statistics.origin.model), keys of \(conditions.first?.keyLength ?? 0) values, digest "
          + statistics.digest.abbreviated
          + (around.isEmpty
            ? ""
            : ", \(around.joined(separator: ", ")) each "
              + "sequence")),
    ] + table.lines
  }

  var json: JSON {
    [
      "file": JSON(statistics.path), "token_count": .integer(statistics.tokenCount),
      "layers": .array(statistics.layers.map { .integer($0) }), "digest": JSON(statistics.digest),
      "model": JSON(statistics.origin.model), "corpus": JSON(statistics.origin.corpus),
      "tokens_before_text": .array(statistics.origin.specialTokens.before.map { JSON($0) }),
      "tokens_after_text": .array(statistics.origin.specialTokens.after.map { JSON($0) }),
      "conditions": .array(
        conditions.map { condition in
          [
            "layer": .integer(condition.layer), "key_length": .integer(condition.keyLength),
            "tokens_per_value": .double(condition.tokensPerValue),
            "condition": JSON(condition.condition), "smallest_pivot": JSON(condition.smallestPivot),
            "always_zero": .integer(condition.deadFeatures), "verdict": JSON(condition.verdict.rawValue),
            "missing_tokens": .integer(condition.missingTokens), "advice": JSON(condition.advice),
          ]
        }),
    ]
  }
}
