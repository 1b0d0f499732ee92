import Facts
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import Transformer

/// How a checkpoint goes on with a prompt.
struct AskReport: Answer {
  let kind = "ask"

  let prompt: String
  let tokens: [GeneratedToken]
  let tokenization: PromptTokenization
  /// Whether people see the text alone.
  let isPlain: Bool

  private var text: String { tokenization.continuation(tokens.map(\.id), skippingSpecialTokens: true) }

  var lines: [String] {
    var lines = (prompt + text).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.count > 1, lines.last == "" { lines.removeLast() }
    return lines + (isPlain ? [] : [table])
  }

  /// Each token with its probability in percent, on one line.
  private var table: String {
    "  "
      + tokens.map { token in
        let text = tokenization.continuation([token.id]).replacingOccurrences(of: "\n", with: "\\n")
        return "\(text.trimmingCharacters(in: .whitespaces)) \(formatPercent(token.probability))"
      }.joined(separator: " | ")
  }

  var json: JSON {
    [
      "prompt": JSON(prompt), "continuation": JSON(text),
      "tokens": .array(
        tokens.map { token in
          [
            "id": .integer(Int(token.id)), "text": JSON(tokenization.continuation([token.id])),
            "probability": .double(token.probability),
          ]
        }),
    ]
  }
}
