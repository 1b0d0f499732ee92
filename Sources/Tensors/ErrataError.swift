/// The one error type that reaches the user: a category, which decides the exit code, and one line that says what,
/// where and what to do.
///
/// Errors are data: each module words its own in one file (`<Module>Errors.swift`) as static members of this type, and
/// tests assert the exact text.
public struct ErrataError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is. The raw value is the exit code of a tool that ends with it (ARCHITECTURE: exit codes).
  public enum Category: Int32, Sendable {
    case general = 1
    case usage = 2
    case baseMismatch = 3
    case conflict = 4
    case verification = 5
    case damagedInput = 6
  }

  public let category: Category
  /// One line, without a trailing period and without an "error:" prefix.
  public let message: String

  public init(_ category: Category, _ message: String) {
    self.category = category
    self.message = message
  }

  public var description: String { message }
}

extension ErrataError {
  static func system(_ action: String, _ path: String, _ code: Int32) -> ErrataError {
    ErrataError(.general, "\(path): cannot \(action): \(systemErrorText(code))")
  }
}

/// The beginning of a text that a message quotes.
package func abbreviated(_ text: String) -> String {
  text.count > 160 ? text.prefix(160) + "…" : text
}
