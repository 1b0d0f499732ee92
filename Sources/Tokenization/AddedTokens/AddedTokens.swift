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
    var input: [(AddedToken, [UInt8])] = []
    var normalized: [(AddedToken, [UInt8])] = []
    var contents: Set<[UInt8]> = []
    for element in try section.elements() {
      var token = try AddedToken(element)
      if token.content.isEmpty { continue }
      guard contents.insert(token.content).inserted else {
        throw ErrataError.repeatedAddedToken(
          file: section.file, field: element.name, token: ByteString(token.content))
      }
      token.id = try Self.enter(token, in: &vocabulary, element)
      if token.isNormalized {
        var spelling = AlignedText(token.content, origin: 0)
        try normalizer.apply(to: &spelling)
        normalized.append((token, spelling.bytes))
      } else {
        input.append((token, token.content))
      }
      tokens.append(token)
    }
    self.tokens = tokens
    inputMatcher = AddedTokenMatcher(input)
    normalizedMatcher = AddedTokenMatcher(normalized)
    specialTokens = Set(tokens.filter(\.isSpecial).map(\.id))
  }

  /// The id of a token; of two the one that the model gives.
  private static func enter(_ token: AddedToken, in vocabulary: inout Vocabulary, _ section: Section) throws -> Int32 {
    let content = ByteString(token.content)
    if let known = vocabulary.id(of: token.content) {
      guard vocabulary.token(of: token.id).map({ $0.elementsEqual(token.content) }) ?? false else {
        throw ErrataError.otherTokenID(
          file: section.file, field: section.name, token: content, id: token.id, expected: known)
      }
      return known
    }
    guard vocabulary.insert(token.content, id: Int(token.id)) else {
      throw ErrataError.sharedTokenID(file: section.file, field: section.name, token: content, id: Int(token.id))
    }
    return token.id
  }
}
