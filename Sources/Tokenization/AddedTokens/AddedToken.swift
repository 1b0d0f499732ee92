import Tensors

/// A token that is found in the text as such, before anything else looks at it.
struct AddedToken: Sendable {
  let content: [UInt8]
  var id: Int32
  /// Left out when decoding without special tokens.
  let isSpecial: Bool
  /// Found in the normalized text; otherwise in the text as given.
  let isNormalized: Bool
  /// Found only where it does not touch a word.
  let isSingleWord: Bool
  /// Takes the white space before it.
  let stripsLeft: Bool
  /// Takes the white space after it.
  let stripsRight: Bool
}

extension AddedToken {
  /// Reads an element of `added_tokens`.
  ///
  /// - Throws: an `ErrataError` if a member is missing or of the wrong kind.
  init(_ section: Section) throws {
    content = try section.member("content").bytes().bytes
    id = try section.member("id").tokenID()
    isSpecial = try section.member("special").boolean()
    isNormalized = try section.member("normalized").boolean(fallback: !isSpecial)
    isSingleWord = try section.member("single_word").boolean(fallback: false)
    stripsLeft = try section.member("lstrip").boolean(fallback: false)
    stripsRight = try section.member("rstrip").boolean(fallback: false)
  }
}
