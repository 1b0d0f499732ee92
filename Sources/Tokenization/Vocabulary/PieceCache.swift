/// The tokens of the pieces that one call has encoded: in ordinary text most pieces come again.
///
/// It lives as long as the call, so that a `Tokenizer` has no state, needs no lock and does not grow.
struct PieceCache {
  /// Longer pieces seldom come twice.
  private static let maximumPieceLength = 64

  private var pieces = ByteTable()
  /// The tokens of all pieces, one after another, and where those of each piece end.
  private var tokens: [PieceToken] = []
  private var ends: [Int] = []

  /// Calls `body` with the tokens of `piece`.
  mutating func withTokens(
    of piece: UnsafeBufferPointer<UInt8>, by model: TokenModel, _ body: (ArraySlice<PieceToken>) -> Void
  ) {
    if piece.count > Self.maximumPieceLength {
      var tokens: [PieceToken] = []
      model.encode(piece, into: &tokens)
      return body(tokens[...])
    }
    let index: Int
    if let known = pieces.index(of: piece) {
      index = known
    } else {
      index = pieces.count
      _ = pieces.insert(piece)
      model.encode(piece, into: &tokens)
      ends.append(tokens.count)
    }
    body(tokens[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
  }
}
