import Facts
import Foundation
import Tensors
import Transformer
import WeightPatch

/// How much more a model believes one target than another, for one prompt.
public struct PromptScore: Sendable, Equatable {
  public let new: TargetScore
  /// nil if the record names no true target for the prompt.
  public let `true`: TargetScore?

  /// Per token, the geometric mean.
  public var probabilityNew: Double { exp(new.logProbability) }
  public var probabilityTrue: Double? { self.true.map { exp($0.logProbability) } }
  public var prefersNew: Bool? { self.true.map { new.logProbability > $0.logProbability } }
  /// Of the whole target.
  public var jointProbabilityNew: Double { new.jointProbability }
  public var jointProbabilityTrue: Double? { self.true.map(\.jointProbability) }
  /// P(new) - P(true).
  public var difference: Double? { probabilityTrue.map { probabilityNew - $0 } }
}

/// The scores of one record.
public struct RecordScore: Sendable, Equatable {
  public let rewrite: PromptScore
  public let paraphrases: [PromptScore]
  public let neighborhood: [PromptScore]
}

/// Scores records on a model: every prompt with both targets behind it, teacher-forced, shared prefixes computed once.
public struct FactScorer {
  private let scorer: TargetScorer
  private let tokenization: PromptTokenization

  public init(_ model: LanguageModel) {
    scorer = TargetScorer(model)
    tokenization = PromptTokenization(model.tokenizer)
  }

  /// - Parameter onProgress: called with the number of records done; false ends early, with the scores so far.
  public func score(_ records: [FactRecord], onProgress: (Int) -> Bool = { _ in true }) throws -> [RecordScore] {
    var scores: [RecordScore] = []
    while scores.count < records.count {
      var chunk: [PreparedRecord] = []
      var rows = 0
      while scores.count + chunk.count < records.count {
        let prepared = try prepare(records[scores.count + chunk.count])
        if !chunk.isEmpty, rows + prepared.rowCount > TargetScorer.rowBudget { break }
        rows += prepared.rowCount
        chunk.append(prepared)
      }
      scores += try score(chunk)
      guard onProgress(scores.count) else { break }
    }
    return scores
  }

  /// How many tokens a fact's new target has.
  ///
  /// - Throws: an `ErrataError` if the tokenizer cannot split the target (`Tokenizer.encode`).
  public func targetTokenCount(_ fact: Manifest.Fact) throws(ErrataError) -> Int {
    try tokenization.target(fact).count
  }

  /// The probability of each fact's new target after its prompt, the geometric mean over the target's tokens.
  public func probabilities(_ facts: [Manifest.Fact]) throws -> [Double] {
    try score(facts.map { FactRecord(fact: $0) }).map(\.rewrite.probabilityNew)
  }

  /// - Throws: an `ErrataError` if the fact's prompt with its target does not fit the model, or has no tokens.
  public func check(_ fact: Manifest.Fact) throws { _ = try prepare(FactRecord(fact: fact)) }

  /// The probabilities of texts that continue the facts' prompts, each as it is written.
  ///
  /// - Throws: an `ErrataError` if one does not fit the model, or a probability is not a number.
  public func jointProbabilities(_ facts: [(fact: Manifest.Fact, continuations: [String])]) throws -> [[Double]] {
    let prompts = try facts.map { fact, continuations in
      TargetPrompt(
        tokens: try tokenization.prompt(fact).tokens,
        targets: try continuations.map { try tokenization.continuationTokens($0) })
    }
    var scored = prompts.filter { !$0.targets.isEmpty }[...]
    var scores: [[TargetScore]] = []
    while !scored.isEmpty {
      let count = TargetScorer.passCount(scored)
      scores += try scorer.score(Array(scored.prefix(count)))
      scored = scored.dropFirst(count)
    }
    var found = scores.makeIterator()
    return prompts.map { $0.targets.isEmpty ? [] : found.next()!.map(\.jointProbability) }
  }

  private struct PreparedRecord {
    /// The rewrite prompt, then paraphrases, then the neighbourhood; the targets are the new one, and the true one if
    /// there is one.
    let prompts: [TargetPrompt]
    let paraphraseCount: Int

    var rowCount: Int { prompts.reduce(0) { $0 + $1.rowCount } }
  }

  private func prepare(_ record: FactRecord) throws -> PreparedRecord {
    let fact = record.fact
    func prompt(_ text: String, _ tokens: [Int32], answer: String?) throws -> TargetPrompt {
      let targets = try ([fact.targetNew] + [answer].compactMap { $0 }).map { target in
        let tokens = try tokenization.target(target, after: text, of: fact)
        if tokens.isEmpty { throw ErrataError.targetWithoutTokens(fact.label, target) }
        return tokens
      }
      return TargetPrompt(tokens: tokens, targets: targets)
    }
    func prompt(_ text: String, answer: String?) throws -> TargetPrompt {
      try prompt(text, tokenization.prompt(text, form: fact.form), answer: answer)
    }
    let prompts =
      try [prompt(fact.question, tokenization.prompt(fact).tokens, answer: fact.targetTrue)]
      + record.paraphrasePrompts.map { try prompt($0, answer: fact.targetTrue) }
      + record.neighborhoodPrompts.map { try prompt($0.text, answer: $0.answer ?? fact.targetTrue) }
    let length = prompts.map(\.length).max()!
    let maximum = scorer.model.decoder.maximumSequenceLength
    guard length <= maximum else { throw ErrataError.scoredPromptTooLong(fact.label, length, maximum: maximum) }
    return PreparedRecord(prompts: prompts, paraphraseCount: record.paraphrasePrompts.count)
  }

  private func score(_ records: [PreparedRecord]) throws -> [RecordScore] {
    var scores = try scorer.score(records.flatMap(\.prompts)).map {
      PromptScore(new: $0[0], true: $0.count > 1 ? $0[1] : nil)
    }[...]
    return records.map { record in
      let own = Array(scores.prefix(record.prompts.count))
      scores = scores.dropFirst(record.prompts.count)
      return RecordScore(
        rewrite: own[0], paraphrases: Array(own[1..<1 + record.paraphraseCount]),
        neighborhood: Array(own[(1 + record.paraphraseCount)...]))
    }
  }
}
