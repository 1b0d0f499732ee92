import ArgumentParser
import Foundation
import Tensors

/// The version that every tool prints and that patches record.
public let errataVersion = "0.1.0"

/// Runs a tool: parses the command line, runs the command, and ends the process with the exit code that DESIGN assigns.
///
/// A failure is one line on standard error, `errata apply: what, where, what to do`; a usage error also says how to get
/// help.
public enum ToolMain {
  ///
  /// - Parameter arguments: those behind the command's name; nil takes the process's.
  public static func run<Command: ParsableCommand>(_ command: Command.Type, _ arguments: [String]? = nil) -> Never {
    // A reader that closes the pipe early (`errata show x | head`) ends the tool quietly, as it does other Unix tools.
    signal(SIGPIPE, SIG_DFL)

    let name = command.configuration.commandName ?? CommandLine.arguments[0]
    if let argument = CommandLine.firstMalformedArgument {
      fail(name, "argument \(argument) is not UTF-8 text", code: ErrataError.Category.usage.rawValue)
    }
    BrokenMapping.explain(as: name)
    do {
      var parsed = try command.parseAsRoot(arguments)
      try parsed.run()
      fflush(nil)
      exit(0)
    } catch let error as ErrataError {
      fail(name, error.message, code: error.category.rawValue)
    } catch let code as ExitCode {
      fflush(nil)
      exit(code.rawValue)
    } catch {
      let code = command.exitCode(for: error)
      if code == .success {
        print(command.fullMessage(for: error))
        fflush(nil)
        exit(0)
      }
      if code == .validationFailure {
        fail(name, "\(command.message(for: error)) (see '\(name) --help')", code: ErrataError.Category.usage.rawValue)
      }
      fail(name, command.message(for: error), code: ErrataError.Category.general.rawValue)
    }
  }

  /// In bytes or characters: room for the names of a hundred tensors.
  private static let longestMessage = 8000

  private static func fail(_ name: String, _ message: String, code: Int32) -> Never {
    fflush(nil)
    Progress.clearLine()
    // A message may quote a name from a damaged or hostile file, of any length.
    let text = message.utf8.count <= longestMessage ? message : message.prefix(longestMessage) + "..."
    let line = printable(text.split(separator: "\n").joined(separator: " "))
    FileHandle.standardError.write(Data("\(name): \(line)\n".utf8))
    exit(code)
  }
}

/// Writes one line to standard error, without disturbing a progress line.
public func printNotice(_ text: String) {
  Progress.clearLine()
  FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Prints a value as the answer of `--json`.
public func printJSON(_ value: JSON) {
  print(value.prettyPrinted(), terminator: "")
}

/// The present time as patches and ledgers write it: ISO 8601, UTC, whole seconds. `SOURCE_DATE_EPOCH` stands in for it,
/// so that a patch can be made again with the same bytes (reproducible-builds.org).
public func timestamp() -> String {
  let epoch = ProcessInfo.processInfo.environment["SOURCE_DATE_EPOCH"].flatMap(TimeInterval.init)
  return ISO8601DateFormatter().string(from: epoch.map(Date.init(timeIntervalSince1970:)) ?? Date())
}
