import Tensors

extension PreTokenizer {
  /// Reads `pre_tokenizer`. None leaves the text whole; with ByteLevel as the last step the model sees bytes.
  ///
  /// - Throws: an `ErrataError` for what is not supported.
  init(_ section: Section) throws {
    let components = try section.components("pretokenizers")
    var steps: [Step] = []
    var isByteLevel = false
    for (index, component) in components.enumerated() {
      switch try component.type() {
      case "ByteLevel":
        guard index == components.count - 1 else {
          throw component.unsupported("ByteLevel before another step", supported: "ByteLevel as the last step")
        }
        if try component.member("add_prefix_space").boolean(fallback: true) { steps.append(.prefixSpace) }
        if try component.member("use_regex").boolean(fallback: true) { steps.append(.pattern(.gpt2)) }
        isByteLevel = true
      case "Digits":
        steps.append(.digits(individually: try component.member("individual_digits").boolean(fallback: false)))
      case "Metaspace": steps.append(.metaspace(try Metaspace(component)))
      case "Split": steps.append(try Step(split: component))
      case let type:
        throw component.unsupported(type, supported: "ByteLevel, Digits, Metaspace, Split, Sequence, null")
      }
    }
    self.init(steps: steps, isByteLevel: isByteLevel)
  }
}

extension PreTokenizer.Step {
  /// Reads a Split pre-tokenizer.
  ///
  /// - Throws: an `ErrataError` for a pattern or a behaviour that is not supported.
  fileprivate init(split section: Section) throws {
    let pattern = section.member("pattern")
    let name = section.member("behavior")
    guard let behavior = SplitBehavior(rawValue: try name.string()) else {
      throw name.unsupported(
        try name.string(), supported: SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let isInverted = try section.member("invert").boolean(fallback: false)
    if pattern.value["String"] != nil {
      self = .split(try TextPattern(pattern), behavior, isInverted: isInverted)
      return
    }
    guard pattern.value["Regex"] != nil else {
      throw pattern.unsupported("neither String nor Regex", supported: "one of the two")
    }
    let text = try pattern.member("Regex").string()
    if let known = SplitPattern(rawValue: text) {
      // The known patterns match every text completely, so removing what they do not match removes nothing.
      guard behavior == .isolated || (behavior == .removed && isInverted) else {
        throw name.unsupported(
          "\(behavior.rawValue)\(isInverted ? " inverted" : "") with this pattern",
          supported: "Isolated, or Removed inverted")
      }
      self = .pattern(known)
    } else if let simple = TextPattern(regularExpression: text) {
      self = .split(simple, behavior, isInverted: isInverted)
    } else {
      throw pattern.member("Regex").unsupported(
        quoted(ByteString(text)),
        supported: "the split patterns of GPT-2, Llama 3 and Qwen2, written exactly as there; " + TextPattern.supported)
    }
  }
}
