import Tensors

/// What can be looked for without a regular expression engine: a string, a run of one character, or each character of a
/// kind.
enum TextPattern: Sendable {
  case literal([UInt8])
  /// At least `minimum` times this character (one, in UTF-8).
  case run(of: [UInt8], minimum: Int)
  /// At least `minimum` characters of white space.
  case whiteSpace(minimum: Int)
  /// Each of the characters of a kind.
  case each(CharacterKind)

  /// The matches in `bytes`, from left to right, each as long as possible, without overlap.
  func matches(in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
    switch self {
    case .literal(let text): Self.runs(of: text, from: 1, upTo: 1, in: bytes)
    case .run(let character, let minimum): Self.runs(of: character, from: minimum, upTo: .max, in: bytes)
    case .whiteSpace(let minimum): Self.whiteSpace(from: minimum, in: bytes)
    case .each(let kind): Self.each(of: kind, in: bytes)
    }
  }

  private static func runs(
    of text: [UInt8], from minimum: Int, upTo maximum: Int, in bytes: UnsafeBufferPointer<UInt8>
  ) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var position = 0
    let last = bytes.count - text.count
    while position <= last {
      var end = position
      var count = 0
      while count < maximum, end <= last, bytes[end] == text[0], bytes[end..<end + text.count].elementsEqual(text) {
        end += text.count
        count += 1
      }
      if count >= minimum { matches.append(position..<end) }
      position = max(end, position + 1)
    }
    return matches
  }

  private static func each(of kind: CharacterKind, in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
    var matches: [Range<Int>] = []
    var position = 0
    while position < bytes.count {
      let end = position + bytes[position].characterLength
      if kind.contains(UnsafeBufferPointer(rebasing: bytes[position..<end])) { matches.append(position..<end) }
      position = end
    }
    return matches
  }

  private static func whiteSpace(from minimum: Int, in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
    let reader = ClassReader(bytes)
    var matches: [Range<Int>] = []
    var position = 0
    while position < bytes.count {
      let start = position
      var count = 0
      var next = position
      while position < bytes.count {
        let (found, following) = reader.read(at: position)
        next = following
        guard found == .whiteSpace else { break }
        position = following
        count += 1
      }
      if count >= minimum { matches.append(start..<position) }
      position = max(position, next)
    }
    return matches
  }
}

extension TextPattern {
  /// Reads `pattern`, of the form {"String": ...} or {"Regex": ...}; nil for a regular expression that is more than a
  /// string or a run of one character.
  ///
  /// - Throws: an `ErrataError` for an empty string and for another form.
  init?(_ section: Section) throws {
    if section.value["String"] != nil {
      let text = try section.member("String").bytes().bytes
      guard !text.isEmpty else { throw section.unsupported("an empty string", supported: "a string to look for") }
      self = .literal(text)
      return
    }
    guard section.value["Regex"] != nil else {
      throw section.unsupported("neither String nor Regex", supported: "one of the two")
    }
    self.init(regularExpression: try section.member("Regex").string())
  }

  /// A string without special characters, or `X+` or `X{n,}` where X is a character, an escaped one, or `\s`; nil for
  /// any other regular expression.
  init?(regularExpression: String) {
    var rest = Substring(regularExpression).unicodeScalars
    var characters: [(scalar: Unicode.Scalar, isClass: Bool)] = []
    while let first = rest.first {
      if first == "\\" {
        guard let escaped = rest.dropFirst().first, let meaning = Self.escapes[escaped] else { return nil }
        characters.append(meaning)
        rest = rest.dropFirst(2)
      } else if !Self.special.contains(first) {
        characters.append((first, false))
        rest = rest.dropFirst()
      } else {
        break
      }
    }
    func bytes(_ scalar: Unicode.Scalar) -> [UInt8] { Array(String(scalar).utf8) }
    if rest.isEmpty, !characters.isEmpty, !characters.contains(where: \.isClass) {
      self = .literal(characters.flatMap { bytes($0.scalar) })
      return
    }
    guard characters.count == 1, let minimum = Self.minimum(String(rest)) else { return nil }
    let (scalar, isClass) = characters[0]
    self = isClass ? .whiteSpace(minimum: minimum) : .run(of: bytes(scalar), minimum: minimum)
  }

  /// The lower limit of a quantifier without an upper one.
  private static func minimum(_ quantifier: String) -> Int? {
    if quantifier == "+" { return 1 }
    guard quantifier.hasPrefix("{"), quantifier.hasSuffix(",}") else { return nil }
    guard let minimum = Int(quantifier.dropFirst().dropLast(2)), 1...1000 ~= minimum else { return nil }
    return minimum
  }

  private static let special = Set("\\.[]{}()*+?^$|".unicodeScalars)

  private static let escapes: [Unicode.Scalar: (scalar: Unicode.Scalar, isClass: Bool)] = {
    var escapes: [Unicode.Scalar: (scalar: Unicode.Scalar, isClass: Bool)] = [
      "s": (" ", true), "n": ("\n", false), "r": ("\r", false), "t": ("\t", false),
    ]
    for scalar in special { escapes[scalar] = (scalar, false) }
    return escapes
  }()
}
