/// The regular expressions that byte-level tokenizers split text with, matched by hand.
///
/// A general regular expression engine with Unicode classes is large and slow, and the models in use share these few
/// patterns. They are recognised by their exact text. Each one matches every text completely, piece after piece, so
/// that its matches are the pieces.
enum SplitPattern: String, CaseIterable, Sendable {
  case gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  case llama3 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  case qwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  /// Appends the matches in `bytes`, moved by `offset`.
  func appendMatches(in bytes: UnsafeBufferPointer<UInt8>, offset: Int, to pieces: inout [Range<Int>]) {
    let reader = ClassReader(bytes)
    var position = 0
    while position < bytes.count {
      let start = position
      position =
        switch self {
        case .gpt2: reader.endOfGPT2Match(at: position)
        case .llama3: reader.endOfLlama3Match(at: position, maximumDigits: 3)
        case .qwen2: reader.endOfLlama3Match(at: position, maximumDigits: 1)
        }
      pieces.append(offset + start..<offset + position)
    }
  }
}

extension ClassReader {
  @inline(__always)
  fileprivate func endOfGPT2Match(at start: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let end = endOfContraction(at: start, ignoringCase: false) { return end }
    var (found, next) = read(at: start)
    // ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`: one space joins whatever follows it, except white space.
    if bytes[start] == UInt8(ascii: " "), next < end {
      let following = read(at: next)
      if following.class != .whiteSpace {
        (found, next) = following
      }
    }
    return found == .whiteSpace ? endOfWhiteSpace(from: start) : endOfRun(of: found, from: next)
  }

  @inline(__always)
  fileprivate func endOfLlama3Match(at start: Int, maximumDigits: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let end = endOfContraction(at: start, ignoringCase: true) { return end }
    let (found, next) = read(at: start)
    switch found {
    case .letter: return endOfRun(of: .letter, from: next)
    case .number: return endOfDigits(from: start, maximumCount: maximumDigits)
    case .other, .whiteSpace: break
    }
    let following = classIfAny(at: next)
    // `[^\r\n\p{L}\p{N}]?\p{L}+`
    if following == .letter, !isLineBreak(at: start) { return endOfRun(of: .letter, from: next) }
    // ` ?[^\s\p{L}\p{N}]+[\r\n]*`
    if found == .other || (bytes[start] == UInt8(ascii: " ") && following == .other) {
      var end = endOfRun(of: .other, from: next)
      while end < bytes.count, isLineBreak(at: end) { end += 1 }
      return end
    }
    // `\s*[\r\n]+`: up to the last line break of the run.
    let runEnd = endOfRun(of: .whiteSpace, from: start)
    if let last = (start..<runEnd).last(where: isLineBreak) { return last + 1 }
    return endOfWhiteSpace(from: start)
  }

  /// `\s+(?!\S)|\s+`: the run of white space, but its last character is left to what follows if the run has others.
  private func endOfWhiteSpace(from start: Int) -> Int {
    let runEnd = endOfRun(of: .whiteSpace, from: start)
    if runEnd == end { return runEnd }
    let last = self.start(before: runEnd)
    return last > start ? last : runEnd
  }

  private func endOfDigits(from start: Int, maximumCount: Int) -> Int {
    var position = start
    for _ in 0..<maximumCount where position < end {
      let (found, next) = read(at: position)
      guard found == .number else { break }
      position = next
    }
    return position
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`; nil if none of them stands at `start`.
  private func endOfContraction(at start: Int, ignoringCase: Bool) -> Int? {
    func letter(_ offset: Int) -> UInt8? {
      guard start + offset < end else { return nil }
      let byte = bytes[start + offset]
      return ignoringCase && UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte
    }
    switch letter(1) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): return letter(2) == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"): return letter(2) == UInt8(ascii: "l") ? start + 3 : nil
    // U+017F, the long s, is an s when case is ignored.
    case 0xC5 where ignoringCase: return letter(2) == 0xBF ? start + 3 : nil
    default: return nil
    }
  }

  private func isLineBreak(at position: Int) -> Bool {
    bytes[position] == UInt8(ascii: "\n") || bytes[position] == UInt8(ascii: "\r")
  }
}
