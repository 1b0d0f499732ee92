/// Kinds of characters that pre-tokenizers split at, as the Rust libraries behind `tokenizers` have them.
enum CharacterKind: Sendable {
  /// The general category N.
  case number
  case whiteSpace
  case punctuation

  /// Whether the character whose UTF-8 is `character` is of this kind.
  func contains(_ character: UnsafeBufferPointer<UInt8>) -> Bool {
    switch self {
    case .number: ClassReader(character).read(at: 0).class == .number
    case .whiteSpace: ClassReader(character).read(at: 0).class == .whiteSpace
    case .punctuation: ClassReader(character).read(at: 0).class == .other && Self.isPunctuation(character)
    }
  }

  /// The ASCII characters that are neither letters nor digits, and the general category P of Unicode 8: `tokenizers`
  /// has not had a newer table since.
  private static func isPunctuation(_ character: UnsafeBufferPointer<UInt8>) -> Bool {
    if character[0] < 0x80 { return 0x21...0x7E ~= character[0] }
    let scalar = String(decoding: character, as: UTF8.self).unicodeScalars.first!
    // In Unicode 8 these two were.
    if scalar.value == 0x166D || scalar.value == 0x111C9 { return true }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return scalar.wasKnown(inUnicode: 8)
    default: return false
    }
  }
}

extension Unicode.Scalar {
  /// Whether the character was assigned in a version of Unicode.
  func wasKnown(inUnicode version: Int) -> Bool {
    properties.age.map { $0.major < version || ($0.major == version && $0.minor == 0) } ?? false
  }
}
