/// Turns tokens into the bytes of the text.
struct TokenDecoder: Sendable {
  private enum Step {
    case byteLevel
    case byteFallback
    case fuse
    /// A space between the tokens: what is done without a decoder.
    case separate
    case replace(TextPattern, by: [UInt8])
    case metaspace(Metaspace)
    /// Removes up to so many times a character from the ends of each token.
    case strip(character: [UInt8], atStart: Int, atEnd: Int)
  }

  private let steps: [Step]

  /// The bytes that `tokens` stand for, one after another.
  ///
  /// - Parameter isContinuation: the tokens continue a text, so the space before the first of them is kept.
  func decode(_ tokens: [[UInt8]], isContinuation: Bool) -> [UInt8] {
    var tokens = tokens
    for step in steps {
      switch step {
      case .byteLevel: tokens = [tokens.flatMap { ByteAlphabet.bytes(of: $0) ?? $0 }]
      case .byteFallback: tokens = Self.joinBytes(tokens)
      case .fuse: tokens = [Array(tokens.joined())]
      case .separate:
        for index in tokens.indices where index > 0 || isContinuation { tokens[index].insert(UInt8(ascii: " "), at: 0) }
      case .replace(let pattern, let replacement):
        tokens = tokens.map { Self.replace(pattern, by: replacement, in: $0) }
      case .metaspace(let metaspace):
        for index in tokens.indices {
          let isDropping = index == 0 && !isContinuation && metaspace.prependScheme != .never
          tokens[index] = Self.replace(
            .literal(metaspace.replacement), by: isDropping ? [] : [UInt8(ascii: " ")], in: tokens[index])
        }
      case .strip(let character, let start, let end):
        for index in tokens.indices {
          Self.strip(
            character, atStart: index == 0 && isContinuation ? 0 : start, atEnd: end, from: &tokens[index])
        }
      }
    }
    return Array(tokens.joined())
  }

  /// Neighbouring byte tokens become the text that they spell, or U+FFFD for each if they spell none.
  private static func joinBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
    var joined: [[UInt8]] = []
    var run: [UInt8] = []
    func endRun() {
      guard !run.isEmpty else { return }
      if String(validating: run, as: UTF8.self) != nil {
        joined.append(run)
      } else {
        joined += Array(repeating: Array("\u{FFFD}".utf8), count: run.count)
      }
      run = []
    }
    for token in tokens {
      if let byte = ByteFallback.byte(of: token) {
        run.append(byte)
      } else {
        endRun()
        joined.append(token)
      }
    }
    endRun()
    return joined
  }

  private static func replace(_ pattern: TextPattern, by replacement: [UInt8], in token: [UInt8]) -> [UInt8] {
    let matches = token.withUnsafeBufferPointer { pattern.matches(in: $0) }
    if matches.isEmpty { return token }
    var result: [UInt8] = []
    var position = 0
    for match in matches {
      result += token[position..<match.lowerBound] + replacement
      position = match.upperBound
    }
    return result + token[position...]
  }

  private static func strip(_ character: [UInt8], atStart: Int, atEnd: Int, from token: inout [UInt8]) {
    var rest = token[...]
    for _ in 0..<atStart where rest.starts(with: character) { rest = rest.dropFirst(character.count) }
    for _ in 0..<atEnd where rest.reversed().starts(with: character.reversed()) {
      rest = rest.dropLast(character.count)
    }
    token = Array(rest)
  }
}

extension TokenDecoder {
  /// Reads `decoder`.
  ///
  /// - Throws: an `ErrataError` for what is not supported.
  init(_ section: Section) throws {
    let supported = "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip, Sequence"
    let components = try section.components("decoders")
    if components.isEmpty {
      steps = [.separate]
      return
    }
    steps = try components.map { component in
      switch try component.type() {
      case "ByteLevel":
        return .byteLevel
      case "ByteFallback": return .byteFallback
      case "Fuse": return .fuse
      case "Replace":
        guard let pattern = try TextPattern(component.member("pattern")) else {
          throw component.member("pattern").unsupported(
            "this regular expression in a decoder", supported: "a string, or a run of one character (\\s+, X{2,})")
        }
        return .replace(pattern, by: try component.member("content").bytes().bytes)
      case "Metaspace": return .metaspace(try Metaspace(component))
      case "Strip":
        return .strip(
          character: try component.member("content").character(), atStart: try component.member("start").count(),
          atEnd: try component.member("stop").count())
      case let type: throw component.unsupported(type, supported: supported)
      }
    }
  }
}
