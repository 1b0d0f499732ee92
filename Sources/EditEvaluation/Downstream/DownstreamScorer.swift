import Facts
import Foundation
import KnowledgeEditing
import Tensors
import Transformer

/// What a model answers to a question of a task.
public struct DownstreamAnswer: Sendable, Equatable {
  public let isPositive: Bool
  /// The geometric mean per token of the probability of each answer.
  public let probabilityPositive: Double
  public let probabilityNegative: Double
  /// What the model writes freely; nil if it was not asked to.
  public let continuation: String?

  public var prefersPositive: Bool { probabilityPositive > probabilityNegative }
}

/// A model's answers to the first questions of a task.
public struct DownstreamResult: Sendable {
  public let task: DownstreamTask
  public let answers: [DownstreamAnswer]

  /// Accuracy, weighted F1 and MCC of the more probable answer; with generation those of the answer that is written
  /// first, and how often none is.
  public var metrics: [Metric] {
    guard !answers.isEmpty else { return [] }
    var preferred = Confusion(classCount: 2)
    for answer in answers { preferred.count(label: answer.isPositive ? 1 : 0, answer: answer.prefersPositive ? 1 : 0) }
    var metrics = Self.metrics("", preferred)
    let written = answers.compactMap { answer in answer.continuation.map { (answer.isPositive, task.answer(in: $0)) } }
    guard written.count == answers.count else { return metrics }
    var confusion = Confusion(classCount: 3)
    for (label, answer) in written { confusion.count(label: label ? 1 : 0, answer: answer.map { $0 ? 1 : 0 } ?? 2) }
    metrics += Self.metrics("written ", confusion)
    return metrics + [Metric("invalid", meanOf: written.map { $0.1 == nil ? 1 : 0 }, scale: 100)!]
  }

  private static func metrics(_ prefix: String, _ confusion: Confusion) -> [Metric] {
    [
      confusion.metric(prefix + "accuracy", \.accuracy), confusion.metric(prefix + "F1", \.weightedF1),
      confusion.metric(prefix + "MCC", \.correlation),
    ]
  }
}

extension DownstreamTask {
  /// Whether the answer that stands first in a text is the positive one; nil if none does.
  func answer(in text: String) -> Bool? {
    let places = [answers.positive, answers.negative].map { text.range(of: $0)?.lowerBound }
    switch (places[0], places[1]) {
    case (nil, nil): return nil
    case (_?, nil): return true
    case (nil, _?): return false
    case (let positive?, let negative?): return positive < negative
    }
  }
}

/// Asks a model the questions of a task: which of the two answers is the more probable, per token, behind the prompt
/// (the `f1_new` of unified-model-editing), and on request what it writes (its `f1`).
public struct DownstreamScorer {
  /// As many tokens as the published code lets the model write.
  private static let writtenTokens = 3

  private let model: LanguageModel
  private let tokenization: PromptTokenization
  private let writes: Bool

  public init(_ model: LanguageModel, writes: Bool) {
    self.model = model
    tokenization = PromptTokenization(model.tokenizer)
    self.writes = writes
  }

  /// - Throws: an `ErrataError` if a question is too long for the model.
  public func check(_ set: DownstreamSet) throws { _ = try prompts(set) }

  private func prompts(_ set: DownstreamSet) throws -> [TargetPrompt] {
    let context = set.context
    let answers = [set.task.answers.positive, set.task.answers.negative]
    return try set.questions.map { question in
      let text = context + question.prompt
      let prompt = TargetPrompt(
        tokens: try tokenization.prompt(text), targets: try answers.map { try tokenization.target($0, after: text) })
      let maximum = model.decoder.maximumSequenceLength
      let length = max(prompt.length, prompt.tokens.count + (writes ? Self.writtenTokens : 0))
      guard length <= maximum else {
        throw ErrataError.downstreamPromptTooLong(set.path, record: question.record, length, maximum: maximum)
      }
      return prompt
    }
  }

  /// - Parameter onProgress: called with the number of questions done; false ends early, with the answers so far.
  /// - Throws: an `ErrataError` if a question is too long for the model, or a probability is not a number.
  public func score(_ set: DownstreamSet, onProgress: (Int) -> Bool = { _ in true }) throws -> DownstreamResult {
    let prompts = try prompts(set)
    let scorer = TargetScorer(model)
    var answers: [DownstreamAnswer] = []
    while answers.count < prompts.count {
      let rest = prompts[answers.count...]
      let pass = Array(rest.prefix(TargetScorer.passCount(rest)))
      let scores = try scorer.score(pass)
      let written = writes ? try write(pass) : nil
      for (index, score) in scores.enumerated() {
        answers.append(
          DownstreamAnswer(
            isPositive: set.questions[answers.count].isPositive, probabilityPositive: exp(score[0].logProbability),
            probabilityNegative: exp(score[1].logProbability), continuation: written?[index]))
      }
      guard onProgress(answers.count) else { break }
    }
    return DownstreamResult(task: set.task, answers: answers)
  }

  private func write(_ prompts: [TargetPrompt]) throws -> [String] {
    try model.decoder.generate(
      prompts.map(\.tokens), counts: prompts.map { _ in Self.writtenTokens }, choice: .greedy, seeds: [],
      ends: model.tokenizer.specialTokens
    ).map { tokenization.continuation($0.map(\.id), skippingSpecialTokens: true) }
  }
}
