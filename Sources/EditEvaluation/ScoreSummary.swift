import KnowledgeEditing
import Tensors

/// The scores of the papers over some records, in percent. Each is a mean over records of a mean over the record's
/// prompts.
///
/// - ES, PS, NS: how often the wanted target is the more likely one, by the mean log-probability per token (Meng et al.
///   2022, section 3.3); S is their harmonic mean (Gupta et al. 2024, section 4).
/// - EM, PM, NM: by how much, P(new) - P(true) for the rewrite and the paraphrases, P(true) - P(new) for the
///   neighbourhood, where P is exp of the mean log-probability per token (`*_diff` in kmeng01/rome,
///   experiments/summarize.py).
/// - P(new): that P for the rewrite; joint P(new): the probability of the whole target.
/// - Accuracies: the share of a target's tokens that are the most likely ones given those before them (Mitchell et al.
///   2022; kmeng01/rome, experiments/py/eval_utils_zsre.py): of the new target for the rewrite and the paraphrases, of
///   the right answer (zsRE's `loc_ans`) for the neighbourhood, as ROME and MEMIT report it.
public struct ScoreSummary: Sendable, Equatable {
  /// In the order of tables. A metric that no record has a prompt for is missing.
  public let metrics: [Metric]
  public let recordCount: Int

  /// Efficacy score: rewrite prompts that prefer the new target.
  public var efficacy: Double? { self["ES"] }
  /// Paraphrase score: the mean over records of the share of paraphrases that prefer it.
  public var paraphrase: Double? { self["PS"] }
  /// Neighbourhood score: the mean over records of the share of neighbourhood prompts that prefer the old target.
  public var neighborhood: Double? { self["NS"] }
  /// S: the harmonic mean of the three scores; 0 if one is 0, nil if one is missing.
  public var harmonicMean: Double? { self["S"] }
  /// The mean probability of the new target after the rewrite prompt, the geometric mean over its tokens, in percent.
  public var probabilityNew: Double { self["P(new)"] ?? 0 }

  public subscript(name: String) -> Double? { metrics.first { $0.name == name }?.value }

  public init(_ scores: [RecordScore]) {
    /// `value` of the prompts of each record that has it.
    func metric(
      _ name: String, _ prompts: (RecordScore) -> [PromptScore], _ value: (PromptScore) -> Double?
    ) -> Metric? {
      Metric(name, meanOf: scores.compactMap { mean(prompts($0).compactMap(value)) }, scale: 100)
    }
    let rewrite = { (record: RecordScore) in [record.rewrite] }
    let prefersNew = { (prompt: PromptScore) in prompt.prefersNew.map { $0 ? 1.0 : 0 } }
    let prefersTrue = { (prompt: PromptScore) in prompt.prefersNew.map { $0 ? 0.0 : 1 } }
    let preferences = [
      metric("ES", rewrite, prefersNew), metric("PS", \.paraphrases, prefersNew),
      metric("NS", \.neighborhood, prefersTrue),
    ]
    metrics = [
      preferences[0], preferences[1], preferences[2], Self.harmonicMean(preferences),
      metric("EM", rewrite, \.difference), metric("PM", \.paraphrases, \.difference),
      metric("NM", \.neighborhood) { $0.difference.map { -$0 } }, metric("P(new)", rewrite, \.probabilityNew),
      metric("joint P(new)", rewrite, \.jointProbabilityNew),
      metric("rewrite acc", rewrite, \.new.accuracy), metric("paraphrase acc", \.paraphrases, \.new.accuracy),
      metric("neighborhood acc", \.neighborhood) { $0.true?.accuracy },
    ].compactMap { $0 }
    recordCount = scores.count
  }

  private static func harmonicMean(_ metrics: [Metric?]) -> Metric? {
    let metrics = metrics.compactMap { $0 }
    guard metrics.count == 3 else { return nil }
    let sum = metrics.reduce(0) { $0 + 1 / $1.value }
    return Metric("S", sum.isFinite ? 3 / sum : 0, count: metrics.map(\.count).max()!)
  }

  /// How much of the neighbourhood answers as another model, the base, does: the share of tokens, teacher-forced along
  /// the right answer, whose most likely token is the same (MEND's and EasyEdit's locality, which asks for no right
  /// answer).
  ///
  /// - Parameter base: the same records' scores on the other model; fewer if it was interrupted.
  public static func locality(of scores: [RecordScore], comparedTo base: [RecordScore]) -> Metric? {
    let shares = zip(scores, base).compactMap { own, other in
      mean(
        zip(own.neighborhood, other.neighborhood).map { own, other in
          let pair = ((own.true ?? own.new).greedyTokens, (other.true ?? other.new).greedyTokens)
          return Double(zip(pair.0, pair.1).count { $0 == $1 }) / Double(pair.0.count)
        })
    }
    return Metric("neighborhood kept", meanOf: shares, scale: 100)
  }

  public var json: JSON {
    var object = JSONObject(["records": .integer(recordCount)])
    for name in ["ES", "PS", "NS", "S", "P(new)"] { object[ByteString(name)] = .null }
    for metric in metrics { object[ByteString(metric.name)] = .double(metric.value) }
    return .object(object)
  }
}

/// nil if there are none.
func mean(_ values: [Double]) -> Double? {
  values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}
