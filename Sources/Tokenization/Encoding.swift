/// The tokens of a text and where each of them stands in it.
public struct Encoding: Sendable, Equatable {
  public internal(set) var ids: [Int32] = []

  /// For each token the range of the text's UTF-8 bytes that it stands for.
  ///
  /// A token that is a part of a character has only its bytes of it. White space that belongs to a token (the space
  /// before a word) is in its range. A character that normalization changed is in the range of each token that stands
  /// for a part of it. Tokens that a template adds have the empty range at the beginning or the end.
  public internal(set) var ranges: [Range<Int>] = []

  mutating func append(_ id: Int32, _ range: Range<Int>) {
    ids.append(id)
    ranges.append(range)
  }
}
