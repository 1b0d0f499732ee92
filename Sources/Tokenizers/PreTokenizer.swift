import Tensors

/// Splits text into the pieces that the model sees one by one.
///
/// Every supported step partitions the text, each within the pieces of the step before, so the result is the list of the
/// ends of the pieces.
struct PreTokenizer: Sendable {
  private enum Step {
    case digits(individually: Bool)
    case pattern(SplitPattern)
    /// A space before every piece that does not begin with one.
    case prefixSpace
  }

  private let steps: [Step]

  /// Splits `text`, and inserts prefix spaces where the tokenizer has them.
  ///
  /// - Returns: where each piece ends, ascending.
  func split(_ text: inout AlignedText) -> [Int] {
    var ends = [text.bytes.count]
    for step in steps {
      switch step {
      case .digits(let individually):
        ends = refine(ends, of: text) { appendDigitEnds(in: $0, offset: $1, individually: individually, to: &$2) }
      case .pattern(let pattern):
        ends = refine(ends, of: text) { pattern.appendMatchEnds(in: $0, offset: $1, to: &$2) }
      case .prefixSpace:
        insertSpaces(&text, &ends)
      }
    }
    return ends
  }

  private func refine(
    _ ends: [Int], of text: AlignedText, _ appendEnds: (UnsafeBufferPointer<UInt8>, Int, inout [Int]) -> Void
  ) -> [Int] {
    var refined: [Int] = []
    refined.reserveCapacity(text.bytes.count / 4)
    text.bytes.withUnsafeBufferPointer { bytes in
      var start = 0
      for end in ends {
        appendEnds(UnsafeBufferPointer(rebasing: bytes[start..<end]), start, &refined)
        start = end
      }
    }
    return refined
  }

  private func insertSpaces(_ text: inout AlignedText, _ ends: inout [Int]) {
    var insertions: [(range: Range<Int>, bytes: [UInt8])] = []
    var start = 0
    for index in ends.indices {
      if start < ends[index], text.bytes[start] != UInt8(ascii: " ") {
        insertions.append((start..<start, [UInt8(ascii: " ")]))
      }
      start = ends[index]
      ends[index] += insertions.count
    }
    text.replace(insertions)
  }

  private func appendDigitEnds(
    in bytes: UnsafeBufferPointer<UInt8>, offset: Int, individually: Bool, to ends: inout [Int]
  ) {
    let reader = ClassReader(bytes)
    var position = 0
    while position < bytes.count {
      let (found, next) = reader.read(at: position)
      position = next
      if found == .number {
        if !individually { position = reader.endOfRun(of: .number, from: next) }
      } else {
        while position < bytes.count {
          let (found, next) = reader.read(at: position)
          if found == .number { break }
          position = next
        }
      }
      ends.append(offset + position)
    }
  }
}

extension PreTokenizer {
  /// Reads `pre_tokenizer`.
  ///
  /// - Throws: an `ErrataError` for what is not supported, or if the last step is not ByteLevel: the model sees bytes.
  init(_ section: Section) throws {
    let supported = "ByteLevel, Digits, Split, Sequence"
    let components = try section.components("pretokenizers")
    guard let last = components.last else {
      throw section.unsupported("a tokenizer without a pre-tokenizer", supported: supported)
    }
    guard try last.type() == "ByteLevel" else {
      throw last.unsupported("\(try last.type()) as the last step", supported: "ByteLevel")
    }
    var steps: [Step] = []
    for (index, component) in components.enumerated() {
      switch try component.type() {
      case "ByteLevel":
        guard index == components.count - 1 else {
          throw component.unsupported("ByteLevel before another step", supported: "ByteLevel as the last step")
        }
        if try component.member("add_prefix_space").boolean(fallback: true) { steps.append(.prefixSpace) }
        if try component.member("use_regex").boolean(fallback: true) { steps.append(.pattern(.gpt2)) }
      case "Digits":
        steps.append(.digits(individually: try component.member("individual_digits").boolean(fallback: false)))
      case "Split":
        steps.append(.pattern(try SplitPattern(component)))
      case let type:
        throw component.unsupported(type, supported: supported)
      }
    }
    self.steps = steps
  }
}

extension SplitPattern {
  /// Reads a Split pre-tokenizer.
  ///
  /// - Throws: an `ErrataError` for a pattern or a behaviour that is not supported.
  fileprivate init(_ section: Section) throws {
    let known = "the split patterns of GPT-2, Llama 3 and Qwen2, written exactly as there"
    let pattern = section.member("pattern")
    guard pattern.value["Regex"] != nil else {
      throw pattern.unsupported("a pattern that is no regular expression", supported: known)
    }
    let text = try pattern.member("Regex").string()
    guard let value = SplitPattern(rawValue: text) else {
      throw pattern.member("Regex").unsupported(quoted(ByteString(text)), supported: known)
    }
    // The patterns match every text completely, so removing what they do not match removes nothing.
    switch (try section.member("behavior").string(), try section.member("invert").boolean(fallback: false)) {
    case ("Isolated", _), ("Removed", true): self = value
    case (let behavior, let invert):
      throw section.member("behavior").unsupported(
        "\(behavior)\(invert ? " inverted" : "")", supported: "Isolated, or Removed inverted")
    }
  }
}
