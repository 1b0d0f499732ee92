import Tensors

/// What a Split or Replace component looks for.
enum Pattern: Sendable {
  /// What can be found without a regular expression engine.
  case text(TextPattern)
  case regularExpression(RegularExpression)

  /// Reads `pattern`, of the form {"String": ...} or {"Regex": ...}.
  ///
  /// - Throws: an `ErrataError` for an empty string and for a regular expression that is malformed or not supported.
  init(_ section: Section) throws {
    if let simple = try TextPattern(section) {
      self = .text(simple)
    } else {
      self = .regularExpression(try RegularExpression(section.member("Regex")))
    }
  }

  /// The matches in `bytes`, from left to right, without overlap.
  ///
  /// - Throws: an `ErrataError` if a regular expression backtracks without end.
  func matches(in bytes: UnsafeBufferPointer<UInt8>) throws(ErrataError) -> [Range<Int>] {
    switch self {
    case .text(let pattern): pattern.matches(in: bytes)
    case .regularExpression(let expression): try expression.matches(in: bytes)
    }
  }
}
