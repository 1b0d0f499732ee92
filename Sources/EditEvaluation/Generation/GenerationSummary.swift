/// What models write, over some records. Shares in percent; GE and RS times 100, as the papers print them.
public enum GenerationSummary {
  public static func metrics(_ generations: [RecordGeneration]) -> [Metric] {
    func share(
      _ name: String, _ answers: (RecordGeneration) -> [RecordGeneration.Answer],
      _ isWanted: @escaping (AnswerMatch) -> Bool
    ) -> Metric? {
      Metric(
        name, meanOf: generations.compactMap { mean(answers($0).compactMap(\.match).map { isWanted($0) ? 1 : 0 }) },
        scale: 100)
    }
    let rewrite = { (record: RecordGeneration) in [record.rewrite] }
    let answers = { (match: AnswerMatch) in match != .none }
    let isExact = { (match: AnswerMatch) in match == .exact }
    return [
      share("rewrite answered", rewrite, answers), share("paraphrase answered", \.paraphrases, answers),
      share("neighborhood answered", \.neighborhood, answers), share("rewrite exact", rewrite, isExact),
      share("paraphrase exact", \.paraphrases, isExact), share("neighborhood exact", \.neighborhood, isExact),
      Metric("GE", meanOf: generations.compactMap(\.entropy), scale: 100),
      Metric("RS", meanOf: generations.compactMap(\.referenceScore), scale: 100),
    ].compactMap { $0 }
  }

  /// The share of neighbourhood prompts that a model continues with the same words as another, the base.
  public static func locality(of own: [RecordGeneration], comparedTo base: [RecordGeneration]) -> Metric? {
    Metric(
      "neighborhood same",
      meanOf: zip(own, base).compactMap { own, base in
        mean(zip(own.neighborhood, base.neighborhood).map { $0.continuation == $1.continuation ? 1 : 0 })
      }, scale: 100)
  }
}
