import Synchronization
import Tensors

// What the tools say. These functions stand before Swift's `print` of the same name: a tool cannot get round them by
// accident.

/// Prints one line of an answer. What it quotes, from a file or the command line, is shown and not obeyed.
public func print(_ line: String) { Swift.print(printable(line)) }

/// Prints a text of several lines.
public func print(text: String) { Swift.print(printableLines(text), terminator: text.hasSuffix("\n") ? "" : "\n") }

/// Prints a value as the answer of `--json`.
public func printJSON(_ value: JSON) {
  Swift.print(value.prettyPrinted(), terminator: "")
  Failure.noteAnswer()
}

/// Writes one line to standard error, without disturbing a progress line.
public func printNotice(_ text: String) {
  if !Notices.areSilent.load(ordering: .relaxed) { writeNotice(text) }
}

/// The same, though notices are silent.
func writeNotice(_ text: String) {
  Progress.clearLine()
  StandardStreams.writeError(printable(text) + "\n")
}

/// Of several processes that do the same, one speaks.
public enum Notices {
  static let areSilent = Atomic(false)

  /// From now on nothing is noted.
  public static func silence() { areSilent.store(true, ordering: .relaxed) }
}
