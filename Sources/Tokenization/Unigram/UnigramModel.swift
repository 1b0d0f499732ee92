import Tensors

/// A unigram language model (Kudo, Subword Regularization, 2018): of all ways to write a piece as tokens the one whose
/// scores, the logarithms of the tokens' probabilities, have the largest sum.
struct UnigramModel: Sendable {
  /// How much less than the rarest token's the score of an unknown character is.
  private static let unknownPenalty = 10.0

  let vocabulary: Vocabulary
  let unknownToken: Int32
  /// By id, for the tokens that `prefixes` finds.
  private let scores: [Double]
  private let prefixes: PrefixTree
  private let unknownScore: Double
  /// The token of each byte that has one; nil if unknown characters do not become bytes.
  private let byteTokens: [Int32?]?

  /// The best way to a place in the piece.
  private struct Arrival {
    var score = -Double.infinity
    var token: Int32 = -1
    /// Where the last token begins.
    var start = -1
  }

  /// Appends the tokens of a piece. Neighbouring unknown characters become one unknown token, or the tokens of their
  /// bytes.
  ///
  /// Time: O(n times the longest token's length).
  func encode(_ piece: UnsafeBufferPointer<UInt8>, into tokens: inout [PieceToken]) {
    var arrivals = [Arrival](repeating: Arrival(), count: piece.count + 1)
    arrivals[0].score = 0
    func arrive(_ end: Int, from start: Int, by token: Int32, _ score: Double) {
      let total = arrivals[start].score + score
      if arrivals[end].start < 0 || total > arrivals[end].score {
        arrivals[end] = Arrival(score: total, token: token, start: start)
      }
    }
    var start = 0
    while start < piece.count {
      let characterEnd = start + piece[start].characterLength
      var isKnown = false
      prefixes.forEachMatch(in: piece, at: start) { token, end in
        arrive(end, from: start, by: Int32(token), scores[token])
        if end == characterEnd { isKnown = true }
      }
      if !isKnown { arrive(characterEnd, from: start, by: unknownToken, unknownScore) }
      start = characterEnd
    }
    var path: [PieceToken] = []
    var end = piece.count
    while end > 0 {
      let arrival = arrivals[end]
      if arrival.token == unknownToken, path.last?.id == unknownToken {
        path[path.count - 1].start = Int32(arrival.start)
      } else {
        path.append(PieceToken(id: arrival.token, start: Int32(arrival.start), end: Int32(end)))
      }
      end = arrival.start
    }
    for token in path.reversed() { append(token, of: piece, to: &tokens) }
  }

  private func append(_ token: PieceToken, of piece: UnsafeBufferPointer<UInt8>, to tokens: inout [PieceToken]) {
    let range = Int(token.start)..<Int(token.end)
    guard token.id == unknownToken else { return tokens.append(token) }
    // Unknown characters can together be a token, if only one with so low a score that it was not chosen.
    if let known = vocabulary.id(of: UnsafeBufferPointer(rebasing: piece[range])) {
      return tokens.append(PieceToken(id: known, start: token.start, end: token.end))
    }
    guard let byteTokens else { return tokens.append(token) }
    let bytes = range.compactMap { index in
      byteTokens[Int(piece[index])].map { PieceToken(id: $0, start: Int32(index), end: Int32(index + 1)) }
    }
    if bytes.count < range.count { tokens.append(token) } else { tokens += bytes }
  }
}

extension UnigramModel {
  /// Reads `model`.
  ///
  /// - Throws: an `ErrataError` if a score is no number or there is no unknown token.
  init(_ section: Section) throws {
    let list = section.member("vocab")
    let elements = try list.elements()
    guard !elements.isEmpty else { throw ErrataError.noVocabulary(file: list.file, field: list.name) }
    var vocabulary = Vocabulary(minimumCapacity: elements.count + elements.count / 8)
    var scores: [Double] = []
    for element in elements {
      guard let parts = element.value.arrayValue, parts.count == 2, let token = parts[0].bytesValue,
        let score = parts[1].doubleValue
      else { throw element.wrongKind(expected: "a pair of a token and its score") }
      guard scores.count <= Vocabulary.maximumID else {
        throw ErrataError.tokenIDOutOfRange(file: element.file, field: element.name, token: token)
      }
      // Trained files have "<unk>" twice if it stood in the text.
      vocabulary.insertAgain(token.bytes, id: scores.count)
      scores.append(score)
    }
    let unknown = section.member("unk_id")
    guard let id = unknown.value.integerValue, scores.indices.contains(id) else {
      throw unknown.unsupported(
        unknown.value.isNull ? "a model without an unknown token" : "an index outside the vocabulary",
        supported: "the index of a token")
    }
    byteTokens =
      try section.member("byte_fallback").boolean(fallback: false)
      ? ByteFallback.spellings.map { vocabulary.id(of: $0) } : nil
    unknownToken = Int32(id)
    unknownScore = scores.min()! - Self.unknownPenalty
    prefixes = PrefixTree((0..<scores.count).map { Array(vocabulary.token(of: Int32($0))!) })
    self.vocabulary = vocabulary
    self.scores = scores
  }
}
