/// Where a text without pre-tokenization can be cut so that its parts have the tokens of the whole.
///
/// SentencePiece-style tokenizers hand the model a whole text, with "▁" for spaces. A merge makes a token that holds
/// the characters to both sides of the seam, so no merge crosses a place where two characters meet that stand side by
/// side in no merged token. Looked for are such places before a "▁". The parts are words, which come again and again,
/// and each is merged in the time that a short piece takes.
struct WordBoundary: Sendable {
  /// "▁" in UTF-8.
  static let space: [UInt8] = [0xE2, 0x96, 0x81]

  /// The characters that stand directly before a "▁" in some merged token, their bytes in one number.
  private var charactersBeforeSpace: Set<UInt32> = []

  /// Enters a token that a merge makes.
  mutating func insert(_ token: UnsafeBufferPointer<UInt8>) {
    var position = 1
    while position + Self.space.count <= token.count {
      if Self.isSpace(token, position) { charactersBeforeSpace.insert(Self.character(before: position, token)) }
      position += 1
    }
  }

  /// Calls `body` with the parts of `text`, from left to right.
  func forEachPart(of text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    var start = 0
    var position = 1
    while position + Self.space.count <= text.count {
      if Self.isSpace(text, position), !charactersBeforeSpace.contains(Self.character(before: position, text)) {
        body(start..<position)
        start = position
      }
      position += 1
    }
    if start < text.count { body(start..<text.count) }
  }

  @inline(__always)
  private static func isSpace(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
    text[position] == 0xE2 && text[position + 1] == 0x96 && text[position + 2] == 0x81
  }

  private static func character(before position: Int, _ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
    var position = position - 1
    var character = UInt32(text[position])
    while text[position] & 0xC0 == 0x80, position > 0 {
      position -= 1
      character = character << 8 | UInt32(text[position])
    }
    return character
  }
}
