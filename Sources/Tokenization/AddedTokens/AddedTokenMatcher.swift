/// Finds added tokens in a text: the leftmost first, of those that begin at one place the longest.
struct AddedTokenMatcher: Sendable {
  enum Part {
    case text(Range<Int>)
    case token(AddedToken, Range<Int>)
  }

  private var tokens: [AddedToken] = []
  /// A trie: node 0 is the root, and a key is a node's number times 256 plus the next byte.
  private var edges: [Int: Int] = [:]
  /// The token that ends at each node.
  private var tokenAtNode: [Int?] = [nil]
  private var isFirstByte = [Bool](repeating: false, count: 256)

  var isEmpty: Bool { tokens.isEmpty }

  /// Adds a token that stands in the text as `spelling`; of two with one spelling the later counts.
  mutating func insert(_ token: AddedToken, spelling: [UInt8]) {
    guard let first = spelling.first else { return }
    isFirstByte[Int(first)] = true
    var node = 0
    for byte in spelling {
      let key = node << 8 | Int(byte)
      if let known = edges[key] {
        node = known
      } else {
        node = tokenAtNode.count
        edges[key] = node
        tokenAtNode.append(nil)
      }
    }
    tokenAtNode[node] = tokens.count
    tokens.append(token)
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
    var node = 0
    var position = start
    while position < text.count, let next = edges[node << 8 | Int(text[position])] {
      node = next
      position += 1
      if let token = tokenAtNode[node] { longest = (token, position) }
    }
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
