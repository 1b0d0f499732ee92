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
      if arguments.count > 1 { run(arguments[1], ["--help"]) }
      print(text: overview)
    default:
      arguments.removeFirst()
      run(first, arguments)
    }
    ToolMain.end("errata")
  }

  private static let overview: String = {
    let width = Subcommand.all.map(\.name.count).max() ?? 0
    let lines = Subcommand.all.map {
      "  \($0.name.padding(toLength: width, withPad: " ", startingAt: 0))  \($0.summary)"
    }
    return """
      errata: ships corrections to a language model's facts as small files

      Usage: errata COMMAND [ARGUMENT ...]

      \(lines.joined(separator: "\n"))

      'errata help COMMAND' or 'errata COMMAND --help' explains a command.
      """
  }()

  private static func run(_ name: String, _ arguments: [String]) -> Never {
    becomeTool(name, arguments)
    Failure.end("errata", .notACommand(name, nearest: Subcommand.nearest(to: name)))
  }
}
