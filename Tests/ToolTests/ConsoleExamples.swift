import Foundation

/// The commands in the blocks of a Markdown text that are marked `console`, each with the output that the text shows:
///
///     $ errata show fix.wpatch
///     patch       ...
///
/// A backslash at a line's end continues the command. A line `…` in the output stands for any lines.
struct ConsoleExamples {
  struct Example: Equatable {
    let command: String
    let output: [String]
    /// The line of the text that the command stands in, from 1.
    let line: Int
  }

  let examples: [Example]

  init(markdown: String) {
    var examples: [Example] = []
    var command: (text: String, line: Int)?
    var output: [String] = []
    var isInside = false
    func end() {
      while output.last == "" { output.removeLast() }
      if let command { examples.append(Example(command: command.text, output: output, line: command.line)) }
      command = nil
      output = []
    }
    for (index, line) in markdown.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).enumerated()
    {
      if line.hasPrefix("```") {
        end()
        isInside = line == "```console"
      } else if isInside, line.hasPrefix("$ ") {
        end()
        command = (String(line.dropFirst(2)), index + 1)
      } else if isInside, let begun = command, begun.text.hasSuffix("\\") {
        let continuation = line.trimmingCharacters(in: .whitespaces)
        command = (begun.text.dropLast().trimmingCharacters(in: .whitespaces) + " " + continuation, begun.line)
      } else if command != nil {
        output.append(line)
      }
    }
    self.examples = examples
  }

  /// A line without what differs from run to run and machine to machine: digests, numbers, and the column widths that
  /// follow from them.
  static func normalized(_ line: String) -> String {
    line.replacing(#/[0-9a-f]{12,}/#, with: "#")
      .replacing(#/[0-9]+(\.[0-9]+)?/#, with: "#")
      .replacing(#/# min # s|# h # min/#, with: "# s")
      .replacing(#/ +/#, with: " ")
      .trimmingCharacters(in: .whitespaces)
  }

  /// The first line in which an output differs from the shown one; nil if there is none.
  static func firstDifference(shown: [String], found: [String]) -> (shown: String, found: String)? {
    var rest = found[...]
    var skips = false
    for line in shown {
      if line == "…" {
        skips = true
        continue
      }
      if skips { rest = rest.drop { normalized($0) != normalized(line) } }
      skips = false
      guard let next = rest.popFirst() else { return (line, "(nothing)") }
      if normalized(next) != normalized(line) { return (line, next) }
    }
    return skips || rest.isEmpty ? nil : ("(nothing)", rest.first!)
  }
}
