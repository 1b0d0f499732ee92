/// The one error type that reaches the user. It is data: what it is about, what is wrong, and what to do; the line that
/// says so is composed here and nowhere else:
///
///     subjects on context: place: problem: cause; outcome; remedy
///
/// Each module words its own errors in one file (`<Module>Errors.swift`) as static members of this type, and tests
/// assert the exact text.
public struct ErrataError: Error, Sendable {
  /// What kind of failure it is. The raw value is the exit code of a tool that ends with it (ARCHITECTURE: exit codes).
  public enum Kind: Int32, Sendable, CaseIterable {
    case general = 1
    case usage = 2
    case baseMismatch = 3
    case conflict = 4
    case verification = 5
    case damagedInput = 6
    /// What was required of a result is not so.
    case unmet = 7

    /// As `--json` calls it.
    public var name: String {
      switch self {
      case .general: "general"
      case .usage: "usage"
      case .baseMismatch: "base_mismatch"
      case .conflict: "conflict"
      case .verification: "verification"
      case .damagedInput: "damaged_input"
      case .unmet: "unmet"
      }
    }
  }

  public let kind: Kind
  /// The files that it is about, or the facts or arguments where no file is; several, if it lies between them.
  public private(set) var subjects: [String]
  /// The checkpoint that the subjects were being used on.
  public private(set) var context: String?
  /// Where in the subjects, from the outside in: a record, its field; a tensor.
  public private(set) var place: [String]
  /// What is wrong, without a trailing period.
  public let problem: String
  /// Why, in the words of who found it: the operating system's, or a parser's.
  public let cause: String?
  /// What became of the work, where that is not plain.
  public private(set) var outcome: String?
  /// What to do about it.
  public private(set) var remedy: Remedy?

  public init(
    _ kind: Kind, _ subjects: [String], at place: [String] = [], _ problem: String, cause: String? = nil,
    outcome: String? = nil, remedy: Remedy? = nil
  ) {
    self.kind = kind
    self.subjects = subjects
    self.place = place
    self.problem = problem
    self.cause = cause
    self.outcome = outcome
    self.remedy = remedy
  }

  public init(
    _ kind: Kind, _ subject: String, at place: String? = nil, _ problem: String, cause: String? = nil,
    outcome: String? = nil, remedy: Remedy? = nil
  ) {
    self.init(
      kind, [subject], at: place.map { [$0] } ?? [], problem, cause: cause, outcome: outcome, remedy: remedy)
  }

  /// An error about nothing that has a name.
  public init(_ kind: Kind, _ problem: String, outcome: String? = nil, remedy: Remedy? = nil) {
    self.init(kind, [], problem, outcome: outcome, remedy: remedy)
  }

  /// One line, without a trailing period and without an "error:" prefix.
  public var message: String { message(wording: \.description) }

  /// - Parameter wording: puts a remedy in words; the tools name their options in it.
  public func message(wording: (Remedy) -> String) -> String {
    let names = subjects.map { $0.isEmpty ? "''" : $0 }.joined(separator: " and ")
    let about = (subjects.isEmpty ? [] : [names + (context.map { " on \($0)" } ?? "")]) + place
    let statement = (about + [problem] + (cause.map { [$0] } ?? [])).joined(separator: ": ")
    let line = statement + (outcome.map { "; \($0)" } ?? "")
    guard let remedy else { return line }
    return remedy.isAside ? "\(line) (\(wording(remedy)))" : "\(line); \(wording(remedy))"
  }
}

// MARK: The same error, seen from further away

extension ErrataError {
  /// The error as one about `subjects`: what it was about is where in them.
  ///
  /// - Parameters:
  ///   - context: the checkpoint that they were being used on.
  ///   - place: where in `subjects` the error's own subjects are.
  package func within(_ subjects: [String], on context: String? = nil, at place: [String] = []) -> ErrataError {
    var error = self
    error.place = place + self.subjects + self.place
    error.subjects = subjects
    error.context = context
    return error
  }

  /// The error about other names for its subjects, as files have where they will be in the end.
  package func renamingSubjects(_ name: (String) -> String) -> ErrataError {
    var error = self
    error.subjects = subjects.map(name)
    return error
  }

  /// The error with what became of the work; what to do about it no longer holds.
  package func with(outcome: String) -> ErrataError {
    var error = self
    error.outcome = outcome
    error.remedy = nil
    return error
  }
}

extension ErrataError: Equatable, CustomStringConvertible {
  /// Errors are the same if they are of one kind and say the same.
  public static func == (left: ErrataError, right: ErrataError) -> Bool {
    left.kind == right.kind && left.message == right.message
  }

  public var description: String { message }
}

/// The beginning of a text that a message quotes.
package func abbreviated(_ text: String) -> String {
  text.count > 160 ? text.prefix(160) + "…" : text
}
