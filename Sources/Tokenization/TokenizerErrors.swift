import Tensors

extension ErrataError {
  static func notJSON(file: String, offset: Int, reason: String) -> ErrataError {
    ErrataError(
      .damagedInput, file, "not valid JSON at byte \(offset)", cause: reason, remedy: "download the tokenizer again")
  }

  static func wrongKind(file: String, field: String, expected: String, found: String) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "\(expected) is expected, not \(found)", remedy: "download the tokenizer again")
  }

  static func unsupported(file: String, field: String, found: String, supported: String) -> ErrataError {
    ErrataError(.general, file, at: field, "\(found) is not supported; supported: \(supported)")
  }

  static func noVocabulary(file: String, field: String) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "a tokenizer without a vocabulary",
      remedy: "use the tokenizer.json that belongs to the checkpoint")
  }

  static func tokenIDOutOfRange(file: String, field: String, token: ByteString) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "the id of \(quoted(token)) is not a number from 0 to \(Vocabulary.maximumID)",
      remedy: "download the tokenizer again")
  }

  static func sharedTokenID(file: String, field: String, token: ByteString, id: Int) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "\(quoted(token)) has id \(id), which another token has too",
      remedy: "download the tokenizer again")
  }

  static func otherTokenID(file: String, field: String, token: ByteString, id: Int32, expected: Int32) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "\(quoted(token)) has id \(id) here and \(expected) in model.vocab",
      remedy: "make the two agree")
  }

  static func repeatedAddedToken(file: String, field: String, token: ByteString) -> ErrataError {
    ErrataError(.damagedInput, file, at: field, "\(quoted(token)) is listed twice", remedy: "remove one of the two")
  }

  static func malformedPattern(file: String, field: String, pattern: ByteString, reason: String) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "\(shortened(pattern)) is no regular expression", cause: reason,
      remedy: "download the tokenizer again")
  }

  static func patternWithoutEnd(file: String, field: String, pattern: ByteString, byteCount: Int) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "\(shortened(pattern)) backtracks without end on a text of \(byteCount) bytes",
      remedy: "use the tokenizer.json of the model's publisher")
  }

  static func damagedCharacterMap(file: String, field: String, reason: String) -> ErrataError {
    ErrataError(.damagedInput, file, at: field, reason, remedy: "download the tokenizer again")
  }

  static func malformedMerge(file: String, field: String) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "a merge is two tokens, as \"a b\" or [\"a\", \"b\"]",
      remedy: "download the tokenizer again")
  }

  static func unknownToken(file: String, field: String, token: ByteString) -> ErrataError {
    ErrataError(
      .damagedInput, file, at: field, "\(quoted(token)) is not in the vocabulary",
      remedy: "use the tokenizer.json that belongs to the checkpoint")
  }
}

/// A pattern as part of a message: a hostile one must not fill the screen.
func shortened(_ pattern: ByteString) -> String {
  let limit = 300
  let text = pattern.description
  return quoted(pattern.bytes.count <= limit ? pattern : ByteString(text.prefix(limit) + "…"))
}

/// Tokens and patterns can hold line breaks; as JSON they stay on one line.
func quoted(_ text: ByteString) -> String {
  String(decoding: JSON.string(text).serialized(), as: UTF8.self)
}
