import ArgumentParser
import Foundation
import Synchronization
import Tensors

/// How tools tell that something failed: by a line on standard error, `errata apply: what, where, what to do`, and
/// under `--json` also by an object on standard output, if there is no answer yet.
public enum Failure {
  private static let hasAnswer = Atomic(false)

  /// Called when a JSON text was printed: another one behind it would be none.
  static func noteAnswer() { hasAnswer.store(true, ordering: .relaxed) }

  /// Tells a failure, and ends the process.
  ///
  /// - Parameter name: the command's.
  public static func end(_ name: String, _ error: ErrataError) -> Never {
    tell(name, error)
    exit(error.kind.rawValue)
  }

  /// Tells a failure, on standard error and, under `--json`, on standard output.
  public static func tell(_ name: String, _ error: ErrataError) {
    if isJSONAskedFor, !hasAnswer.load(ordering: .relaxed) { printJSON(error.json) }
    fflush(nil)
    say(name, error)
  }

  /// As the arguments stand, also when they cannot be parsed.
  private static var isJSONAskedFor: Bool {
    CommandLine.arguments.dropFirst().prefix { $0 != "--" }.contains("--json")
  }

  /// In bytes or characters: room for the names of a hundred tensors.
  private static let longestMessage = 8000

  /// Says a failure on standard error, without ending the process.
  public static func say(_ name: String, _ error: ErrataError) {
    let message = error.worded
    // A message may quote a name from a damaged or hostile file, of any length.
    let text = message.utf8.count <= longestMessage ? message : message.prefix(longestMessage) + "..."
    writeNotice("\(name): \(text.split(separator: "\n").joined(separator: " "))")
  }
}

extension ErrataError {
  /// What `--json` prints of a failure. A member that does not apply is null.
  var json: JSON {
    func text(_ value: String?) -> JSON { value.map { JSON($0) } ?? .null }
    let error: JSON = [
      "kind": JSON(kind.name), "exit_code": .integer(Int(kind.rawValue)), "subject": .array(subjects.map { JSON($0) }),
      "context": text(context), "place": .array(place.map { JSON($0) }), "problem": JSON(problem), "cause": text(cause),
      "outcome": text(outcome), "remedy": text(remedy?.worded), "message": JSON(worded),
    ]
    return ["error": error, "version": 1]
  }
}
