import Foundation
import ToolSupport

/// The front door: `errata apply ...` runs the `errata-apply` found beside this program or on PATH, as git and cargo
/// do.
@main
struct Main {
  static func main() {
    ToolMain.start("errata")
    var arguments = Array(CommandLine.arguments.dropFirst())
    guard let first = arguments.first else {
      print(text: overview)
      ToolMain.end("errata", 2)
    }
    switch first {
    case "--version":
      print("errata \(errataVersion)")
    case "--help", "-h":
      print(text: overview)
    case "help":
      help(about: Array(arguments.dropFirst()))
    default:
      arguments.removeFirst()
      run(first, arguments)
    }
    ToolMain.end("errata")
  }

  /// Explains a command, or a command of a command (`errata help stats show`), or the words that all of them use.
  private static func help(about words: [String]) {
    if words == ["glossary"] {
      print(text: Glossary.text)
    } else if let command = words.first {
      run(command, words.dropFirst() + ["--help"])
    } else {
      print(text: overview)
    }
  }

  private static let overview: String = {
    let width = Subcommand.all.map(\.name.count).max() ?? 0
    let groups = Subcommand.groups.map { group in
      let lines = group.commands.map {
        "  \($0.name.padding(toLength: width, withPad: " ", startingAt: 0))  \($0.summary)"
      }
      return "\(group.title):\n\(lines.joined(separator: "\n"))"
    }
    return """
      errata: ships corrections to a language model's facts as small files

      Usage: errata COMMAND [ARGUMENT ...]

      \(groups.joined(separator: "\n\n"))

      'errata help COMMAND' or 'errata COMMAND --help' explains a command,
      'errata help glossary' the words they use.
      """
  }()

  private static func run(_ name: String, _ arguments: [String]) -> Never {
    becomeTool(name, arguments)
    Failure.end("errata", .notACommand(name, nearest: Subcommand.nearest(to: name)))
  }
}
