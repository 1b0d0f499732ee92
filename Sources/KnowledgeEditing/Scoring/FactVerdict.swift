import Facts
import Tensors
import Transformer
import WeightPatch

/// What a model says of a fact that is put to it in the fact's own form.
public struct FactVerdict: Sendable, Equatable {
  /// Of a token of the target: the geometric mean.
  public let probability: Double
  /// Of the whole target.
  public let jointProbability: Double
  /// Of each of its tokens.
  public let tokenProbabilities: [Double]
  /// Whether the reply, the most likely token at each place, begins with the target's tokens; of a fact that is to be
  /// forgotten, whether it does not.
  public let holds: Bool
  /// That reply: as many tokens as the target has and four more, or up to where the model ends it; whole characters.
  public let reply: String
  /// Of as many of its tokens as the target has.
  public let replyProbability: Double
}

/// Asks a model for facts: how likely it finds their targets, and what it says itself.
public struct FactJudge {
  private static let moreThanTarget = 4
  /// Prompts that are continued together.
  private static let batchSize = 64

  private let model: LanguageModel
  private let scorer: FactScorer
  private let tokenization: PromptTokenization

  public init(_ model: LanguageModel) {
    self.model = model
    scorer = FactScorer(model)
    tokenization = PromptTokenization(model.tokenizer)
  }

  /// - Parameter onProgress: called with the number of facts done; false ends early, with the verdicts so far.
  /// - Throws: an `ErrataError` if a prompt does not fit the model, or a probability is not a number.
  public func judge(
    _ facts: [Manifest.Fact], onProgress: (Int) -> Bool = { _ in true }
  ) throws -> [FactVerdict] {
    let scores = try scorer.score(facts.map { FactRecord(fact: $0) }).map(\.rewrite)
    var verdicts: [FactVerdict] = []
    while verdicts.count < facts.count {
      let batch = facts[verdicts.count..<min(verdicts.count + Self.batchSize, facts.count)]
      let targets = try batch.map { try tokenization.target($0) }
      let prompts = try batch.map { try tokenization.prompt($0).tokens }
      let room = model.decoder.maximumSequenceLength
      let counts = zip(targets, prompts).map { min($0.count + Self.moreThanTarget, room - $1.count) }
      let replies = try model.decoder.generate(
        prompts, counts: counts, choice: .greedy, seeds: [], ends: model.tokenizer.specialTokens)
      for ((fact, target), reply) in zip(zip(batch, targets), replies) {
        let score = scores[verdicts.count]
        verdicts.append(
          FactVerdict(
            probability: score.probabilityNew, jointProbability: score.jointProbabilityNew,
            tokenProbabilities: score.new.tokenProbabilities,
            holds: reply.map(\.id).starts(with: target) == (fact.kind == .correct),
            reply: tokenization.continuation(reply.map(\.id), skippingSpecialTokens: true).withoutTornEnd,
            replyProbability: reply.prefix(target.count).reduce(1) { $0 * $1.probability }))
      }
      guard onProgress(verdicts.count) else { break }
    }
    return verdicts
  }
}

extension String {
  /// Without the character of which the last tokens are only a part.
  fileprivate var withoutTornEnd: String {
    String(self[..<(lastIndex { $0 != "\u{FFFD}" }.map(index(after:)) ?? startIndex)])
  }
}
