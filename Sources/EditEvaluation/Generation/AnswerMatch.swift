import Facts
import Foundation

/// Whether a continuation that a model wrote freely gives an answer.
public enum AnswerMatch: Sendable, Equatable {
  case none
  /// The continuation begins with the answer, and no letter or digit follows it that would make it another word.
  case prefix
  /// And nothing but a mark that ends a clause, or the end of the text.
  case exact

  private static let ends: Set<Character> = [
    ".", ",", ";", ":", "!", "?", "\n", "\"", ")", "。", "、", "，", "；", "：", "！", "？", "」", "）", "।", "؟", "،", "።", "။",
    "។",
  ]

  /// White space around the answer and before the continuation does not count; case does.
  public init(_ continuation: String, answer: String) {
    let text = continuation.drop(while: \.isWhitespace)
    let answer = answer.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !answer.isEmpty, text.hasPrefix(answer) else {
      self = .none
      return
    }
    let rest = text.dropFirst(answer.count)
    if let next = rest.unicodeScalars.first, Character(next).isLetter || Character(next).isNumber,
      !next.isWrittenWithoutSpaces
    {
      self = .none
    } else {
      self = rest.first.map { Self.ends.contains($0) } ?? true ? .exact : .prefix
    }
  }
}
