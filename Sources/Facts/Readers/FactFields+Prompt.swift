import Tensors
import WeightPatch

extension FactFields {
  /// A prompt template: a text with `{}` where the subject stands (`PromptTemplate`).
  ///
  /// - Throws: an `ErrataError` unless it has exactly one.
  func template(_ field: String) throws -> String {
    let text = try text(field)
    guard PromptTemplate(text) != nil else {
      throw failure(
        field, "must contain {} exactly once, where the subject stands, found \"\(abbreviated(text))\"")
    }
    return text
  }

  /// A prompt in which the subject stands, or `{}` in its place, as a template.
  ///
  /// Both are looked for byte by byte: a subject that a vowel sign, a joiner or an accent follows is found, and one
  /// that is spelled with other code points is not, since its tokens are not the prompt's. Where the subject occurs
  /// several times, the first occurrence that is not part of a longer word counts. Where it occurs as a word of its
  /// own, braces are text (JavaScript's `{}`).
  ///
  /// - Throws: an `ErrataError` if the subject does not occur.
  func template(_ field: String, subject: String) throws -> String {
    let prompt = try text(field)
    let occurrences = prompt.byteRanges(of: subject)
    let hasBraces = !prompt.byteRanges(of: "{}").isEmpty
    if let range = occurrences.first(where: { isWord($0, in: prompt) }) ?? (hasBraces ? nil : occurrences.first) {
      return try template(
        field, before: String(prompt[..<range.lowerBound]), after: String(prompt[range.upperBound...]))
    }
    if hasBraces { return try template(field) }
    let problem =
      prompt.contains(subject)
      ? "spells the subject \"\(abbreviated(subject))\" with other code points, of which other tokens are made; "
        + "write both alike"
      : "does not contain the subject \"\(abbreviated(subject))\""
    throw failure(field, "\(problem), found \"\(abbreviated(prompt))\"")
  }

  /// The template with a slot between two texts.
  ///
  /// - Throws: an `ErrataError` if it cannot be written.
  func template(_ field: String, before: String, after: String) throws -> String {
    guard let template = PromptTemplate(before: before, after: after) else {
      throw failure(field, "has braces around the subject and {} elsewhere; leave one of the two out")
    }
    return template.text
  }

  private func isWord(_ range: Range<String.Index>, in text: String) -> Bool {
    let scalars = text.unicodeScalars
    let before = range.lowerBound > scalars.startIndex ? scalars[scalars.index(before: range.lowerBound)] : " "
    let after = range.upperBound < scalars.endIndex ? scalars[range.upperBound] : " "
    return !before.isPartOfWord && !after.isPartOfWord
  }
}

extension Unicode.Scalar {
  /// Letters, numbers, and what joins or changes the characters beside it.
  fileprivate var isPartOfWord: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber,
      .otherNumber, .nonspacingMark, .spacingMark, .enclosingMark:
      true
    // The joiners of Persian, Indic scripts and emoji.
    default: value == 0x200C || value == 0x200D || properties.isEmojiModifier
    }
  }
}
