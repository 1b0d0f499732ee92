import Foundation
import Tensors
import Transformer

/// How likely a model finds a target behind a prompt, teacher-forced: each token given the prompt and the target's
/// tokens before it.
public struct TargetScore: Sendable, Equatable {
  /// The mean log-probability of the target's tokens.
  public let logProbability: Double
  /// Of each of them.
  public let tokenProbabilities: [Double]
  /// The most likely token at each place of the target.
  public let greedyTokens: [Int32]
  /// The share of the target's tokens that are the most likely at their place.
  public let accuracy: Double

  /// Of the whole target: the product over its tokens.
  public var jointProbability: Double { exp(logProbability * Double(greedyTokens.count)) }
}

/// A prompt and the targets to score behind it, as tokens; no target is empty.
package struct TargetPrompt: Sendable {
  package let tokens: [Int32]
  package let targets: [[Int32]]

  package init(tokens: [Int32], targets: [[Int32]]) {
    self.tokens = tokens
    self.targets = targets
  }

  /// How many tokens there are with the longest target, whose last token is scored but never embedded.
  package var length: Int { tokens.count + (targets.map(\.count).max() ?? 1) - 1 }
  /// The rows that a pass takes for it at most.
  var rowCount: Int { targets.reduce(tokens.count) { $0 + $1.count } }
  var sequences: [[Int32]] { targets.map { tokens + $0.dropLast() } }
}

/// Scores prompts on a model, shared prefixes computed once.
package struct TargetScorer {
  let model: LanguageModel
  /// Rows that are in flight at once, and rows of logits, which are far wider.
  static let rowBudget = 2048
  private static let logitRows = 256

  package init(_ model: LanguageModel) {
    self.model = model
  }

  /// How many of the first prompts go into one pass: as many as the budget takes, at least one. What a prompt shares
  /// with the one before it is counted once.
  package static func passCount(_ prompts: ArraySlice<TargetPrompt>) -> Int {
    var rows = 0
    var previous: [Int32] = []
    for (count, prompt) in prompts.enumerated() {
      let shared = zip(previous, prompt.tokens).prefix { $0 == $1 }.count
      rows += prompt.rowCount - shared
      if count > 0, rows > rowBudget { return count }
      previous = prompt.tokens
    }
    return prompts.count
  }

  /// In one pass.
  ///
  /// - Returns: for each prompt the score of each of its targets.
  /// - Throws: an `ErrataError` if a token is outside of the vocabulary or a probability is not a number.
  package func score(_ prompts: [TargetPrompt]) throws -> [[TargetScore]] {
    let decoder = model.decoder
    for prompt in prompts { try decoder.check(tokens: prompt.targets.flatMap { $0 }) }
    let tree = TokenTree(prompts.flatMap(\.sequences))
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    try decoder.forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions,
      layers: 0..<decoder.architecture.layerCount)
    // Where each token of each target is predicted, in the order of the sequences.
    var reads: [(row: Int, token: Int32)] = []
    var sequence = 0
    for prompt in prompts {
      for target in prompt.targets {
        let rows = tree.rowsOfSequence[sequence]
        reads += target.enumerated().map { (rows[prompt.tokens.count - 1 + $0], $1) }
        sequence += 1
      }
    }
    var predictions = try predictions(hidden, reads)[...]
    guard !predictions.contains(where: \.logProbability.isNaN) else {
      throw ErrataError.modelNotFinite(model.checkpoint.path)
    }
    return prompts.map { prompt in
      prompt.targets.map { target in
        let own = predictions.prefix(target.count)
        predictions = predictions.dropFirst(target.count)
        let count = Double(target.count)
        return TargetScore(
          logProbability: own.reduce(0) { $0 + $1.logProbability } / count,
          tokenProbabilities: own.map { exp($0.logProbability) }, greedyTokens: own.map(\.greedyToken),
          accuracy: Double(zip(own, target).count { $0.greedyToken == $1 }) / count)
      }
    }
  }

  private struct Prediction {
    var logProbability = 0.0
    var greedyToken: Int32 = 0
  }

  /// What is said of each token as the next one after its row. Each row's logits are computed once, a block of rows at
  /// a time.
  private func predictions(_ hidden: Matrix<Float>, _ reads: [(row: Int, token: Int32)]) throws -> [Prediction] {
    var result = [Prediction](repeating: Prediction(), count: reads.count)
    let readsOfRow = Dictionary(grouping: reads.indices) { reads[$0].row }
    let rows = readsOfRow.keys.sorted()
    for start in stride(from: 0, to: rows.count, by: Self.logitRows) {
      let block = Array(rows[start..<min(start + Self.logitRows, rows.count)])
      let logits = model.decoder.logits(hidden.rows(at: block))
      for (position, row) in block.enumerated() {
        let distribution = TokenDistribution(logits: logits, row: position)
        let greedyToken = Int32(distribution.mostLikely(1)[0])
        for read in readsOfRow[row]! {
          result[read] = Prediction(
            logProbability: distribution.logProbability(Int(reads[read].token)), greedyToken: greedyToken)
        }
      }
    }
    return result
  }
}
