/// What stands between a prompt and the target that continues it, as a writer of the language would have it
/// (Spec/facts.md: target prefix): a space, or nothing.
///
/// Nothing
/// - where either side has white space there already, and after a special token;
/// - after an opening quotation mark or bracket, and before a closing one or other punctuation;
/// - where either neighbour is of a script that is written without spaces between words;
/// - before a mark or joiner that changes the character before it.
enum TargetPrefix {
  /// - Parameter endsInSpecialToken: whether the prompt's last token is a special one; asked only where it decides.
  static func between<Failure>(
    _ prompt: String, _ target: String, endsInSpecialToken: () throws(Failure) -> Bool
  ) throws(Failure) -> String {
    let (before, after) = (Array(prompt.unicodeScalars.suffix(2)), target.unicodeScalars)
    guard let last = before.last, let first = after.first else { return "" }
    let isJoined =
      last.properties.isWhitespace || first.properties.isWhitespace
      || last.properties.isJoinControl || first.properties.isJoinControl || first.isMark
      || last.isWrittenWithoutSpaces || first.isWrittenWithoutSpaces
      || opens(last, after: before.count > 1 ? before[0] : nil)
      || closes(first, target)
    if isJoined { return "" }
    return try endsInSpecialToken() ? "" : " "
  }

  /// Whether a prompt's last character belongs to what follows it. A quotation mark without direction opens where a
  /// space or an opening bracket stands before it, or nothing.
  private static func opens(_ last: Unicode.Scalar, after previous: Unicode.Scalar?) -> Bool {
    switch last.properties.generalCategory {
    case .openPunctuation, .initialPunctuation: return true
    default: break
    }
    // Marks that open a sentence stand before it, as brackets do.
    if last == "¿" || last == "¡" { return true }
    guard last.isUndirectedQuotationMark else { return false }
    guard let previous else { return true }
    return previous.properties.isWhitespace || previous.properties.generalCategory == .openPunctuation
  }

  /// Whether a target's first character belongs to what stands before it.
  private static func closes(_ first: Unicode.Scalar, _ target: String) -> Bool {
    switch first.properties.generalCategory {
    case .closePunctuation, .finalPunctuation: return true
    default: break
    }
    if "%‰°′″…".unicodeScalars.contains(first) { return true }
    // Alone it closes or elides ("'s"); with a second one it opens.
    if first.isUndirectedQuotationMark { return !target.unicodeScalars.filter { $0 == first }.count.isMultiple(of: 2) }
    guard first.properties.isTerminalPunctuation else { return false }
    // ".NET" and ".5" are words.
    let next = target.unicodeScalars.dropFirst().first
    return !(first == "." && (next?.properties.isAlphabetic == true || next?.properties.numericType != nil))
  }
}

extension Unicode.Scalar {
  fileprivate var isUndirectedQuotationMark: Bool { self == "\"" || self == "'" || self == "`" }

  fileprivate var isMark: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: true
    default: false
    }
  }

  /// Of a script that puts no space between words, or of its punctuation: Thai, Lao, Tibetan, Myanmar, Khmer, the Tai
  /// scripts, Yi, and those of China and Japan (not Hangul, which has spaces).
  package var isWrittenWithoutSpaces: Bool {
    switch value {
    case 0x0E00...0x0EFF, 0x0F00...0x0FFF, 0x1000...0x109F, 0x1780...0x17FF, 0x1950...0x19FF, 0x1A20...0x1AAF,
      0x2E80...0x312F, 0x3190...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA9E0...0xA9FF, 0xAA60...0xAADF,
      0xF900...0xFAFF, 0xFE30...0xFE4F, 0xFF01...0xFF9F, 0x1B000...0x1B16F, 0x20000...0x3FFFF:
      true
    default: false
    }
  }
}
