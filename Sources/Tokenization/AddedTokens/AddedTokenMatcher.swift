/// Finds added tokens in a text: the leftmost first, of those that begin at one place the longest.
struct AddedTokenMatcher: Sendable {
  enum Part {
    case text(Range<Int>)
    case token(AddedToken, Range<Int>)
  }

  private let tokens: [AddedToken]
  private let spellings: PrefixTree
  private let isFirstByte: [Bool]

  var isEmpty: Bool { tokens.isEmpty }

  /// - Parameter tokens: each with how it stands in the text; of two with one spelling the later counts.
  init(_ tokens: [(token: AddedToken, spelling: [UInt8])]) {
    self.tokens = tokens.map(\.token)
    spellings = PrefixTree(tokens.map(\.spelling))
    var isFirstByte = [Bool](repeating: false, count: 256)
    for byte in tokens.compactMap(\.spelling.first) { isFirstByte[Int(byte)] = true }
    self.isFirstByte = isFirstByte
  }

  /// The parts of `text` in order. Together they cover it; a token's part includes the white space that it strips.
  func split(_ text: UnsafeBufferPointer<UInt8>) -> [Part] {
    var parts: [Part] = []
    var covered = 0
    var position = 0
    while position < text.count {
      guard isFirstByte[Int(text[position])], let match = longestMatch(in: text, at: position) else {
        position += 1
        continue
      }
      let token = tokens[match.token]
      var start = position
      var end = match.end
      position = match.end
      if token.isSingleWord, text.touchesWord(start..<end) { continue }
      // White space that the token before has taken is not taken again.
      if token.stripsLeft { start = max(text.startOfWhiteSpace(before: start), covered) }
      if token.stripsRight { end = ClassReader(text).endOfRun(of: .whiteSpace, from: end) }
      // Nothing is left of a token of white space that another has taken.
      guard start < end else { continue }
      if covered < start { parts.append(.text(covered..<start)) }
      parts.append(.token(token, start..<end))
      covered = end
    }
    if covered < text.count { parts.append(.text(covered..<text.count)) }
    return parts
  }

  private func longestMatch(in text: UnsafeBufferPointer<UInt8>, at start: Int) -> (token: Int, end: Int)? {
    var longest: (token: Int, end: Int)?
    spellings.forEachMatch(in: text, at: start) { longest = ($0, $1) }
    return longest
  }
}

extension UnsafeBufferPointer<UInt8> {
  fileprivate func startOfWhiteSpace(before position: Int) -> Int {
    let reader = ClassReader(self)
    var position = position
    while position > 0 {
      let start = reader.start(before: position)
      guard reader.read(at: start).class == .whiteSpace else { break }
      position = start
    }
    return position
  }

  /// Whether a word character stands directly before or after `range`.
  fileprivate func touchesWord(_ range: Range<Int>) -> Bool {
    let reader = ClassReader(self)
    if range.lowerBound > 0, isWordCharacter(at: reader.start(before: range.lowerBound)) { return true }
    return range.upperBound < count && isWordCharacter(at: range.upperBound)
  }

  /// `\w` of UTS #18, Annex C.
  private func isWordCharacter(at position: Int) -> Bool {
    let next = ClassReader(self).read(at: position).next
    let text = String(decoding: UnsafeBufferPointer(rebasing: self[position..<next]), as: UTF8.self)
    guard let properties = text.unicodeScalars.first?.properties else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
