import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import Transformer

/// How a checkpoint goes on with a prompt, or what it says of it in a chat.
struct AskReport: Answer {
  let kind = "ask"

  let prompt: String
  let tokens: [GeneratedToken]
  let speaker: Speaker
  /// Whether other checkpoints answer too.
  let isOneOfSeveral: Bool
  /// Whether people see the text alone.
  let isPlain: Bool

  private var text: String { speaker.text(tokens) }

  var lines: [String] {
    let asked = speaker.format == nil ? prompt : isPlain ? "" : prompt + "\n"
    var lines = (asked + text).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.count > 1, lines.last == "" { lines.removeLast() }
    return lines + (isPlain ? [] : ["  " + probabilities])
  }

  /// What several checkpoints say of one prompt, side by side.
  static func compared(_ reports: [AskReport]) -> [String] {
    var table = TextTable([("checkpoint", .left), ("continuation", .left)])
    for report in reports {
      table.append([report.speaker.name, printable(report.text)])
      if !report.isPlain { table.append(["", report.probabilities]) }
    }
    return [reports[0].prompt] + table.lines.map { "  " + $0 }
  }

  /// Each token with its probability in percent, on one line.
  private var probabilities: String {
    tokens.map { token in
      let text = speaker.text(of: token).replacingOccurrences(of: "\n", with: "\\n")
      return "\(text.trimmingCharacters(in: .whitespaces)) \(formatPercent(token.probability))"
    }.joined(separator: " | ")
  }

  var json: JSON {
    var object = JSONObject([
      "prompt": JSON(prompt), "continuation": JSON(text),
      "tokens": .array(
        tokens.map { token in
          [
            "id": .integer(Int(token.id)), "text": JSON(speaker.text(of: token)),
            "probability": .double(token.probability),
          ]
        }),
    ])
    if isOneOfSeveral { object["model"] = JSON(speaker.name) }
    return .object(object)
  }
}
