import Foundation

/// Two facts that cannot both hold: the same question, or the same relation of the same subject, with different
/// answers.
public struct Contradiction: Sendable, Equatable {
  /// Positions in the list of facts that was asked about, `first < second`.
  public let first: Int
  public let second: Int

  /// Every pair of facts that contradict each other, in ascending order.
  ///
  /// Compared are the prompts with the subjects in them, and where both facts name a relation, subject and relation.
  /// Upper and lower case, canonically equivalent characters and the amount of white space make no difference, neither
  /// there nor in the answers.
  public static func all(among facts: [Manifest.Fact]) -> [Contradiction] {
    var askers: [String: [Int]] = [:]
    for (position, fact) in facts.enumerated() {
      for question in fact.normalizedQuestions { askers[question, default: []].append(position) }
    }
    let answers = facts.map { normalized($0.targetNew) }
    var found: Set<[Int]> = []
    // Many facts may ask one question; only those that get more than one answer are compared.
    for positions in askers.values where Set(positions.map { answers[$0] }).count > 1 {
      for (index, first) in positions.enumerated() {
        for second in positions[(index + 1)...] where answers[first] != answers[second] {
          found.insert([first, second])
        }
      }
    }
    return found.sorted { ($0[0], $0[1]) < ($1[0], $1[1]) }.map { Contradiction(first: $0[0], second: $0[1]) }
  }
}

extension Manifest.Fact {
  /// What the fact answers, so that equal texts mean the same question.
  fileprivate var normalizedQuestions: [String] {
    // A letter before each keeps the two kinds apart, and a zero byte the parts.
    ["q" + normalized(question)] + (relation.map { ["r" + normalized(subject) + "\0" + normalized($0)] } ?? [])
  }
}

private func normalized(_ text: String) -> String {
  text.precomposedStringWithCanonicalMapping.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
}
