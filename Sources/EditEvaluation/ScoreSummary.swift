import Tensors

/// The paper's scores over some records, in percent (Meng et al. 2022, section 3.3; Gupta et al. 2024, section 4).
public struct ScoreSummary: Sendable, Equatable {
  /// Efficacy score: rewrite prompts that prefer the new target.
  public let efficacy: Double?
  /// Paraphrase score: the mean over records of the share of paraphrases that prefer it.
  public let paraphrase: Double?
  /// Neighbourhood score: the mean over records of the share of neighbourhood prompts that prefer the old target.
  public let neighborhood: Double?
  /// The mean probability of the new target after the rewrite prompt, in percent.
  public let probabilityNew: Double
  public let recordCount: Int

  /// S: the harmonic mean of the three scores; 0 if one is 0, nil if one is missing.
  public var harmonicMean: Double? {
    guard let efficacy, let paraphrase, let neighborhood else { return nil }
    if min(efficacy, paraphrase, neighborhood) == 0 { return 0 }
    return 3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)
  }

  public init(_ scores: [RecordScore]) {
    /// The mean over records of the share of prompts with `preference`, in percent; nil if there are none.
    func percentage(_ prompts: (RecordScore) -> [PromptScore], _ preference: Bool) -> Double? {
      let shares = scores.compactMap { record -> Double? in
        let answers = prompts(record).compactMap(\.prefersNew)
        return answers.isEmpty ? nil : Double(answers.filter { $0 == preference }.count) / Double(answers.count)
      }
      return shares.isEmpty ? nil : 100 * shares.reduce(0, +) / Double(shares.count)
    }
    efficacy = percentage({ [$0.rewrite] }, true)
    paraphrase = percentage(\.paraphrases, true)
    neighborhood = percentage(\.neighborhood, false)
    probabilityNew = 100 * scores.reduce(0) { $0 + $1.rewrite.probabilityNew } / Double(max(scores.count, 1))
    recordCount = scores.count
  }

  public var json: JSON {
    func value(_ number: Double?) -> JSON { number.map { .double($0) } ?? .null }
    return [
      "records": .integer(recordCount), "ES": value(efficacy), "PS": value(paraphrase), "NS": value(neighborhood),
      "S": value(harmonicMean), "P(new)": .double(probabilityNew),
    ]
  }
}
