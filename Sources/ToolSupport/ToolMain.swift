import ArgumentParser
import CToolSupport
import Foundation
import Tensors

/// The version that every tool prints and that patches record.
public let errataVersion = "0.1.0"

/// Runs a tool: parses the command line, runs the command, and ends the process with the error's exit code
/// (ARCHITECTURE: exit codes). `Failure` tells what failed.
public enum ToolMain {
  /// - Parameter arguments: those behind the command's name; nil takes the process's.
  public static func run<Command: ParsableCommand>(_ command: Command.Type, _ arguments: [String]? = nil) -> Never {
    let name = name(of: command)
    start(name)
    BrokenMapping.explain(as: name)
    do {
      var parsed = try command.parseAsRoot(arguments)
      // Help is given whatever they are.
      if parsed is Command { try EnvironmentVariables.check() }
      try parsed.run()
      end(name)
    } catch let error as ErrataError {
      Failure.end(name, error)
    } catch let code as ExitCode {
      end(name, code.rawValue)
    } catch {
      switch command.exitCode(for: error) {
      case .success:
        print(text: command.fullMessage(for: error))
        end(name)
      case .validationFailure:
        Failure.end(name, .usage(command.message(for: error), name))
      default:
        Failure.end(name, .parser(command.message(for: error)))
      }
    }
  }

  /// What every program does first.
  public static func start(_ name: String) {
    // A reader that closes the pipe early (`errata show x | head`) ends the tool quietly, as it does other Unix tools.
    signal(SIGPIPE, SIG_DFL)
    // A file beyond `ulimit -f` is an error of the write, not the end of the tool. (Tests/FaultInjector knows by this
    // call that the tool has begun.)
    signal(SIGXFSZ, SIG_IGN)
    errata_name_program(strdup(name))
    errata_reserve_stack()
    StandardStreams.occupyClosed()
    if let argument = CommandLine.firstMalformedArgument { Failure.end(name, .malformedArgument(argument)) }
  }

  /// Ends the process. An answer that could not be written is a failure too.
  public static func end(_ name: String, _ code: Int32 = 0) -> Never {
    do {
      try StandardStreams.flushOutput()
    } catch {
      Failure.say(name, error)
      exit(code == 0 ? error.kind.rawValue : code)
    }
    exit(code)
  }

  /// Says a failure that does not end the tool.
  static func sayFailure(_ error: ErrataError, of command: (some ParsableCommand).Type) {
    Failure.say(name(of: command), error)
  }

  private static func name(of command: (some ParsableCommand).Type) -> String {
    calledName ?? command.configuration.commandName ?? CommandLine.arguments[0]
  }

  /// The command that another tool became this one for (`becomeTool`).
  private static var calledName: String? {
    CommandLine.arguments.first.flatMap { $0.hasPrefix("errata ") ? $0 : nil }
  }
}

/// The present time as patches and ledgers write it: ISO 8601, UTC, whole seconds. `SOURCE_DATE_EPOCH` stands in for
/// it, so that a patch can be made again with the same bytes (reproducible-builds.org).
///
/// (`ISO8601DateFormatter` traps where no file can be opened.)
public func timestamp() -> String { (EnvironmentVariables.sourceDate ?? Date()).formatted(.iso8601) }
