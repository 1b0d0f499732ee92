import Foundation
import Testing

@testable import EditEvaluation
@testable import KnowledgeEditing

@Suite struct ScoreSummaryTests {
  private func prompt(_ new: Double, _ old: Double?, accuracy: Double = 0, greedy: [Int32] = [1]) -> PromptScore {
    PromptScore(
      new: TargetScore(logProbability: log(new), tokenProbabilities: [new], greedyTokens: greedy, accuracy: accuracy),
      true: old.map {
        TargetScore(logProbability: log($0), tokenProbabilities: [$0], greedyTokens: greedy, accuracy: 1 - accuracy)
      })
  }

  private var scores: [RecordScore] {
    [
      RecordScore(
        rewrite: prompt(0.8, 0.1, accuracy: 1), paraphrases: [prompt(0.5, 0.2, accuracy: 1), prompt(0.1, 0.4)],
        neighborhood: [prompt(0.1, 0.6, greedy: [1, 2]), prompt(0.3, 0.2, accuracy: 0.5, greedy: [3])]),
      RecordScore(rewrite: prompt(0.4, 0.5, accuracy: 0.5), paraphrases: [], neighborhood: [prompt(0.2, 0.3)]),
    ]
  }

  private func expect(_ metric: Metric?, _ value: Double, _ error: Double?, _ count: Int) throws {
    let metric = try #require(metric)
    #expect(abs(metric.value - value) < 1e-9, "\(metric.name)")
    #expect(metric.count == count, "\(metric.name)")
    #expect((metric.standardError == nil) == (error == nil), "\(metric.name)")
    if let error { #expect(abs(metric.standardError! - error) < 1e-9, "\(metric.name)") }
  }

  /// Means over records of means over prompts. The standard error of two values is half their difference.
  @Test func figures() throws {
    let summary = ScoreSummary(scores)
    func metric(_ name: String) -> Metric? { summary.metrics.first { $0.name == name } }
    try expect(metric("ES"), 50, 50, 2)
    try expect(metric("PS"), 50, nil, 1)
    try expect(metric("NS"), 75, 25, 2)
    try expect(metric("S"), 3 / (2 / 50.0 + 1 / 75), nil, 2)
    try expect(metric("EM"), 100 * (0.7 - 0.1) / 2, 40, 2)
    try expect(metric("PM"), 0, nil, 1)
    try expect(metric("NM"), 100 * (0.2 + 0.1) / 2, 5, 2)
    try expect(metric("P(new)"), 60, 20, 2)
    try expect(metric("rewrite acc"), 75, 25, 2)
    try expect(metric("paraphrase acc"), 50, nil, 1)
    try expect(metric("neighborhood acc"), 87.5, 12.5, 2)
    #expect(summary.json["EM"]?.doubleValue == metric("EM")?.value)
    #expect(summary.harmonicMean == metric("S")?.value)
  }

  @Test func whatIsNotAskedIsMissing() {
    let summary = ScoreSummary([RecordScore(rewrite: prompt(0.5, nil), paraphrases: [], neighborhood: [])])
    #expect(summary.metrics.map(\.name) == ["P(new)", "joint P(new)", "rewrite acc"])
    #expect(summary.json["ES"] == .null)
    #expect(ScoreSummary([]).metrics.isEmpty)
  }

  @Test func aScoreOfZeroMakesSZero() {
    let score = RecordScore(
      rewrite: prompt(0.1, 0.5), paraphrases: [prompt(0.5, 0.1)], neighborhood: [prompt(0.1, 0.5)])
    #expect(ScoreSummary([score]).harmonicMean == 0)
  }

  @Test func locality() throws {
    var other = scores
    other[0] = RecordScore(
      rewrite: other[0].rewrite, paraphrases: other[0].paraphrases,
      neighborhood: [prompt(0.9, 0.1, greedy: [1, 7]), prompt(0.3, 0.2, greedy: [3])])
    try expect(ScoreSummary.locality(of: other, comparedTo: scores), 87.5, 12.5, 2)
    try expect(ScoreSummary.locality(of: scores, comparedTo: scores), 100, 0, 2)
  }
}
