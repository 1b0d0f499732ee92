import Foundation
import KnowledgeEditing
import Tensors
import Transformer
import WeightPatch

/// How much more a model believes one target than another, for one prompt.
public struct PromptScore: Sendable, Equatable {
  /// The mean log-probability of the tokens of each target.
  public let logProbabilityNew: Double
  /// nil if the record names no true target for the prompt.
  public let logProbabilityTrue: Double?

  /// Per token, the geometric mean.
  public var probabilityNew: Double { exp(logProbabilityNew) }
  public var probabilityTrue: Double? { logProbabilityTrue.map(exp) }
  public var prefersNew: Bool? { logProbabilityTrue.map { logProbabilityNew > $0 } }
}

/// The scores of one record.
public struct RecordScore: Sendable, Equatable {
  public let rewrite: PromptScore
  public let paraphrases: [PromptScore]
  public let neighborhood: [PromptScore]
}

/// Scores records on a model: every prompt with both targets behind it, teacher-forced, shared prefixes computed once.
public struct FactScorer {
  private let model: LanguageModel
  private let tokenization: PromptTokenization
  /// Rows that are in flight at once, and rows of logits, which are far wider.
  private static let rowBudget = 2048
  private static let logitRows = 256

  public init(_ model: LanguageModel) {
    self.model = model
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
        if !chunk.isEmpty, rows + prepared.rowCount > Self.rowBudget { break }
        rows += prepared.rowCount
        chunk.append(prepared)
      }
      scores += try score(chunk)
      guard onProgress(scores.count) else { break }
    }
    return scores
  }

  /// The probability of each fact's new target after its prompt, the geometric mean over the target's tokens.
  public func probabilities(_ facts: [Manifest.Fact]) throws -> [Double] {
    try score(facts.map { FactRecord(fact: $0) }).map(\.rewrite.probabilityNew)
  }

  private struct PreparedRecord {
    struct Prompt {
      let tokens: [Int32]
      /// The new target, and the true one if there is one.
      let targets: [[Int32]]

      /// How many tokens there are with the longest target, whose last token is scored but never embedded.
      var length: Int { tokens.count + targets.map(\.count).max()! - 1 }
    }

    /// The rewrite prompt, then paraphrases, then the neighbourhood.
    let prompts: [Prompt]
    let paraphraseCount: Int

    var sequences: [[Int32]] { prompts.flatMap { prompt in prompt.targets.map { prompt.tokens + $0.dropLast() } } }
    var rowCount: Int { prompts.reduce(0) { $0 + $1.targets.reduce($1.tokens.count) { $0 + $1.count } } }
  }

  private func prepare(_ record: FactRecord) throws -> PreparedRecord {
    let fact = record.fact
    func targets(_ answer: String?) -> [[Int32]] {
      ([fact.targetNew] + [answer].compactMap { $0 }).map { tokenization.target($0) }
    }
    let own = targets(fact.targetTrue)
    var prompts = [PreparedRecord.Prompt(tokens: try tokenization.prompt(fact).tokens, targets: own)]
    for text in record.paraphrasePrompts {
      prompts.append(PreparedRecord.Prompt(tokens: tokenization.prompt(text), targets: own))
    }
    for prompt in record.neighborhoodPrompts {
      let targets = prompt.answer.map { targets($0) } ?? own
      prompts.append(PreparedRecord.Prompt(tokens: tokenization.prompt(prompt.text), targets: targets))
    }
    for prompt in prompts { try model.decoder.check(tokens: prompt.targets.flatMap { $0 }) }
    let length = prompts.map(\.length).max()!
    guard length <= model.decoder.maximumSequenceLength else {
      throw ErrataError.promptTooLong(fact.label, length, maximum: model.decoder.maximumSequenceLength)
    }
    return PreparedRecord(prompts: prompts, paraphraseCount: record.paraphrasePrompts.count)
  }

  private func score(_ records: [PreparedRecord]) throws -> [RecordScore] {
    let decoder = model.decoder
    let tree = TokenTree(records.flatMap(\.sequences))
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), positions: tree.positions, layers: 0..<decoder.architecture.layerCount)
    // Where each token of each target is predicted, in the order of the sequences.
    var reads: [(row: Int, token: Int32)] = []
    var sequence = 0
    for record in records {
      for prompt in record.prompts {
        for target in prompt.targets {
          let rows = tree.rowsOfSequence[sequence]
          reads += target.enumerated().map { (rows[prompt.tokens.count - 1 + $0], $1) }
          sequence += 1
        }
      }
    }
    var values = try logProbabilities(hidden, reads)[...]
    guard !values.contains(where: \.isNaN) else { throw ErrataError.modelNotFinite(model.checkpoint.path) }
    return records.map { record in
      let scores = record.prompts.map { prompt in
        let means = prompt.targets.map { target in
          let mean = values.prefix(target.count).reduce(0, +) / Double(target.count)
          values = values.dropFirst(target.count)
          return mean
        }
        return PromptScore(logProbabilityNew: means[0], logProbabilityTrue: means.count > 1 ? means[1] : nil)
      }
      return RecordScore(
        rewrite: scores[0], paraphrases: Array(scores[1..<1 + record.paraphraseCount]),
        neighborhood: Array(scores[(1 + record.paraphraseCount)...]))
    }
  }

  /// The log-probability of each token as the next one after its row. Each row's logits are computed once, a block of
  /// rows at a time.
  private func logProbabilities(_ hidden: Matrix<Float>, _ reads: [(row: Int, token: Int32)]) throws -> [Double] {
    var result = [Double](repeating: 0, count: reads.count)
    let readsOfRow = Dictionary(grouping: reads.indices) { reads[$0].row }
    let rows = readsOfRow.keys.sorted()
    for start in stride(from: 0, to: rows.count, by: Self.logitRows) {
      let block = Array(rows[start..<min(start + Self.logitRows, rows.count)])
      let logits = try model.decoder.logits(hidden.rows(at: block))
      for (position, row) in block.enumerated() {
        let distribution = TokenDistribution(logits: logits, row: position)
        for read in readsOfRow[row]! { result[read] = distribution.logProbability(Int(reads[read].token)) }
      }
    }
    return result
  }
}
