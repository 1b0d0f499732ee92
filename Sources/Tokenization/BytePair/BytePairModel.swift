/// Byte-pair encoding: a piece begins as its bytes or characters, and neighbours are merged in the order of the ranks.
struct BytePairModel: Sendable {
  let vocabulary: Vocabulary
  let merges: MergeTable
  let symbols: InitialSymbols
  /// A piece that is a token as a whole is that token, even if merging would not find it.
  let ignoresMerges: Bool
  /// Where a piece can be cut before it is encoded; nil if pieces are to be encoded whole.
  let boundary: WordBoundary?

  /// Appends the tokens of a piece. What has no token becomes the unknown token, or nothing if there is none.
  func encode(_ piece: UnsafeBufferPointer<UInt8>, into tokens: inout [PieceToken]) {
    if ignoresMerges, let id = symbols.wholeToken(piece, vocabulary) {
      tokens.append(PieceToken(id: id, start: 0, end: Int32(piece.count)))
      return
    }
    var symbols = symbols.symbols(of: piece, vocabulary)
    merges.apply(to: &symbols)
    tokens.append(contentsOf: symbols)
  }

  /// Calls `body` with parts of `piece`, from left to right, whose tokens together are those of the piece.
  func forEachPart(of piece: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    if let boundary { boundary.forEachPart(of: piece, body) } else { body(piece.indices) }
  }
}
