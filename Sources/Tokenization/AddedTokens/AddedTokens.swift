import Tensors

/// The added tokens of a tokenizer: which there are, and how they are found.
struct AddedTokens: Sendable {
  let tokens: [AddedToken]
  /// Finds tokens in the text as given.
  let inputMatcher: AddedTokenMatcher
  /// Finds tokens in normalized text.
  let normalizedMatcher: AddedTokenMatcher
  let specialTokens: Set<Int32>

  func isSpecial(_ id: Int32) -> Bool {
    specialTokens.contains(id)
  }

  /// Reads `added_tokens`, and enters in `vocabulary` those that are not there.
  ///
  /// - Throws: an `ErrataError` if a token is listed twice or its id contradicts the vocabulary.
  init(_ section: Section, normalizer: Normalizer, vocabulary: inout Vocabulary) throws {
    var tokens: [AddedToken] = []
    var inputMatcher = AddedTokenMatcher()
    var normalizedMatcher = AddedTokenMatcher()
    var contents: Set<[UInt8]> = []
    for element in try section.elements() {
      let token = try AddedToken(element)
      if token.content.isEmpty { continue }
      guard contents.insert(token.content).inserted else {
        throw ErrataError.repeatedAddedToken(
          file: section.file, field: element.name, token: ByteString(token.content))
      }
      try Self.enter(token, in: &vocabulary, element)
      if token.isNormalized {
        var spelling = AlignedText(token.content, origin: 0)
        normalizer.apply(to: &spelling)
        normalizedMatcher.insert(token, spelling: spelling.bytes)
      } else {
        inputMatcher.insert(token, spelling: token.content)
      }
      tokens.append(token)
    }
    self.tokens = tokens
    self.inputMatcher = inputMatcher
    self.normalizedMatcher = normalizedMatcher
    specialTokens = Set(tokens.filter(\.isSpecial).map(\.id))
  }

  private static func enter(_ token: AddedToken, in vocabulary: inout Vocabulary, _ section: Section) throws {
    let content = ByteString(token.content)
    if let known = vocabulary.id(of: token.content) {
      guard known == token.id else {
        throw ErrataError.otherTokenID(
          file: section.file, field: section.name, token: content, id: token.id, expected: known)
      }
    } else if !vocabulary.insert(token.content, id: Int(token.id)) {
      throw ErrataError.sharedTokenID(file: section.file, field: section.name, token: content, id: Int(token.id))
    }
  }
}
