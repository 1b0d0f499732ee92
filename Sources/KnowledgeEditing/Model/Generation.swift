import Foundation
import Tensors
import Transformer

/// How the next token is chosen.
public enum TokenChoice: Sendable {
  /// The most likely.
  case greedy
  /// One of the `count` most likely, drawn by probability^(1 / temperature).
  case sampled(count: Int, temperature: Double)
}

/// A generated token and its probability under the model (before any temperature).
public struct GeneratedToken: Sendable {
  public let id: Int32
  public let probability: Double
}

extension Decoder {
  /// Continues several prompts at once, token by token.
  ///
  /// - Parameters:
  ///   - prompts: token sequences, none empty.
  ///   - count: how many tokens to add to each.
  ///   - banned: tokens that are never chosen.
  ///   - ends: tokens after which a prompt is not continued.
  ///   - onToken: called for each new token with the index of its prompt; false ends all.
  /// - Returns: the new tokens of each prompt.
  /// - Throws: an `ErrataError` if a prompt does not fit the model, or a probability is not a number.
  public func generate(
    _ prompts: [[Int32]], count: Int, choice: TokenChoice, random: inout RandomSource, banned: Set<Int32> = [],
    ends: Set<Int32> = [], onToken: (Int, GeneratedToken) -> Bool = { _, _ in true }
  ) throws -> [[GeneratedToken]] {
    try generate(
      prompts, counts: prompts.map { _ in count }, choice: choice, uniform: { _ in random.uniform() }, banned: banned,
      ends: ends, onToken: onToken)
  }

  /// Continues several prompts at once, each by its own number of tokens, and with draws of its own, so that what
  /// becomes of a prompt does not depend on the others beside it.
  ///
  /// - Parameters:
  ///   - counts: how many tokens to add to each prompt; none for a count of zero.
  ///   - seeds: for each prompt the seed of its draws; may be empty if nothing is drawn.
  /// - Throws: an `ErrataError`, as the other `generate` does.
  public func generate(
    _ prompts: [[Int32]], counts: [Int], choice: TokenChoice, seeds: [UInt64], banned: Set<Int32> = [],
    ends: Set<Int32> = [], onToken: (Int, GeneratedToken) -> Bool = { _, _ in true }
  ) throws -> [[GeneratedToken]] {
    var sources = seeds.map(RandomSource.init(seed:))
    return try generate(
      prompts, counts: counts, choice: choice, uniform: { sources[$0].uniform() }, banned: banned, ends: ends,
      onToken: onToken)
  }

  /// - Parameter uniform: the next draw of the prompt with an index.
  private func generate(
    _ prompts: [[Int32]], counts: [Int], choice: TokenChoice, uniform: (Int) -> Double, banned: Set<Int32>,
    ends: Set<Int32>, onToken: (Int, GeneratedToken) -> Bool
  ) throws -> [[GeneratedToken]] {
    let layers = 0..<architecture.layerCount
    let store = KeyValueStore(architecture, layers: layers)
    let tree = TokenTree(prompts)
    var hidden = try embed(tokens: tree.tokens, positions: tree.positions)
    try forward(
      &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions, layers: layers, store: store,
      appending: true)
    // The kept rows on the path of each prompt.
    var paths = tree.rowsOfSequence.map { Self.ranges($0) }
    var lengths = prompts.map(\.count)
    var results = [[GeneratedToken]](repeating: [], count: prompts.count)
    var active = prompts.indices.filter { counts[$0] > 0 }
    if active.isEmpty { return results }
    var logits = self.logits(hidden.rows(at: active.map { tree.rowsOfSequence[$0].last! }))
    while true {
      var continued: [Int] = []
      for (row, index) in active.enumerated() {
        let token = choose(TokenDistribution(logits: logits, row: row), choice, banned) { uniform(index) }
        guard token.probability.isFinite else { throw ErrataError.modelNotFinite(checkpoint.path) }
        results[index].append(token)
        if !onToken(index, token) { return results }
        if !ends.contains(token.id), results[index].count < counts[index], lengths[index] < maximumSequenceLength {
          continued.append(index)
        }
      }
      active = continued
      if active.isEmpty { break }
      let positions = active.map { Int32(lengths[$0]) }
      let tokens = active.map { results[$0].last!.id }
      hidden = try embed(tokens: tokens, positions: positions)
      let runs = active.enumerated().map { row, index in
        AttentionPlan.Run(rows: row..<row + 1, context: paths[index].map { .kept($0) }, group: row)
      }
      let firstRow = store.rowCount
      try forward(
        &hidden, plan: AttentionPlan(runs: runs), tokens: tokens, positions: positions, layers: layers, store: store,
        appending: true)
      for (row, index) in active.enumerated() {
        paths[index] = Self.appending(firstRow + row, to: paths[index])
        lengths[index] += 1
      }
      logits = self.logits(hidden)
    }
    return results
  }

  private func choose(
    _ distribution: TokenDistribution, _ choice: TokenChoice, _ banned: Set<Int32>, uniform: () -> Double
  ) -> GeneratedToken {
    func token(_ id: Int) -> GeneratedToken {
      GeneratedToken(id: Int32(id), probability: exp(distribution.logProbability(id)))
    }
    switch choice {
    case .greedy:
      return token(distribution.mostLikely(1 + banned.count).first { !banned.contains(Int32($0)) }!)
    case .sampled(let count, let temperature):
      let candidates = Array(
        distribution.mostLikely(count + banned.count).filter { !banned.contains(Int32($0)) }.prefix(count))
      let largest = distribution.logProbability(candidates[0])
      let weights = candidates.map { exp((distribution.logProbability($0) - largest) / temperature) }
      var rest = uniform() * weights.reduce(0, +)
      for (candidate, weight) in zip(candidates, weights) {
        rest -= weight
        if rest < 0 { return token(candidate) }
      }
      return token(candidates.last!)
    }
  }

  private static func ranges(_ rows: [Int]) -> [Range<Int>] {
    rows.reduce(into: []) { $0 = appending($1, to: $0) }
  }

  private static func appending(_ row: Int, to ranges: [Range<Int>]) -> [Range<Int>] {
    var ranges = ranges
    if let last = ranges.last, last.upperBound == row {
      ranges[ranges.count - 1] = last.lowerBound..<row + 1
    } else {
      ranges.append(row..<row + 1)
    }
    return ranges
  }
}
