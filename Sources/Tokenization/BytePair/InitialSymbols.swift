/// What a piece is before anything is merged: the tokens of its bytes, or of its characters.
struct InitialSymbols: Sendable {
  /// Every byte is written as a character (`ByteAlphabet`), and that is what the vocabulary has tokens for.
  let isByteLevel: Bool
  /// Byte level: the token of each byte. Otherwise: the token of each ASCII character. Nil if the vocabulary has none.
  let tokens: [Int32?]
  /// The token that stands for each byte of a character without a token; nil if there is no fallback to bytes.
  let byteTokens: [Int32]?
  let unknownToken: Int32?
  /// Neighbouring unknown bytes or characters become one unknown token.
  let fusesUnknown: Bool

  init(
    _ vocabulary: Vocabulary, isByteLevel: Bool, byteTokens: [Int32]?, unknownToken: Int32?, fusesUnknown: Bool
  ) {
    self.isByteLevel = isByteLevel
    self.byteTokens = byteTokens
    self.unknownToken = unknownToken
    self.fusesUnknown = fusesUnknown
    tokens =
      isByteLevel
      ? ByteAlphabet.spellings.map { vocabulary.id(of: $0) } : (UInt8(0)..<0x80).map { vocabulary.id(of: [$0]) }
  }

  /// The token that is the whole piece.
  func wholeToken(_ piece: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary) -> Int32? {
    isByteLevel ? vocabulary.id(of: ByteAlphabet.spelling(of: piece)) : vocabulary.id(of: piece)
  }

  /// The tokens of the bytes or characters of `piece`.
  func symbols(of piece: UnsafeBufferPointer<UInt8>, _ vocabulary: Vocabulary) -> [PieceToken] {
    var symbols: [PieceToken] = []
    symbols.reserveCapacity(piece.count)
    var previousIsUnknown = false
    var position = 0
    while position < piece.count {
      let start = position
      let byte = piece[start]
      position += isByteLevel ? 1 : byte.characterLength
      let known: Int32? =
        isByteLevel || byte < 0x80
        ? tokens[Int(byte)] : vocabulary.id(of: UnsafeBufferPointer(rebasing: piece[start..<position]))
      if known == nil, let byteTokens {
        for index in start..<position {
          symbols.append(
            PieceToken(id: byteTokens[Int(piece[index])], start: Int32(index), end: Int32(index + 1)))
        }
        previousIsUnknown = false
        continue
      }
      guard let id = known ?? unknownToken else { continue }
      if known == nil, previousIsUnknown, fusesUnknown {
        symbols[symbols.count - 1].end = Int32(position)
      } else {
        symbols.append(PieceToken(id: id, start: Int32(start), end: Int32(position)))
      }
      previousIsUnknown = known == nil
    }
    return symbols
  }
}
