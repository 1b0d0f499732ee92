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
      case "BertPreTokenizer":
        steps.append(.split(.text(.each(.whiteSpace)), .removed, isInverted: false))
        steps.append(.split(.text(.each(.punctuation)), .isolated, isInverted: false))
      case "ByteLevel":
        if try component.member("add_prefix_space").boolean(fallback: true) { steps.append(.prefixSpace) }
        if try component.member("use_regex").boolean(fallback: true) { steps.append(.pattern(.gpt2)) }
        isByteLevel = index == components.count - 1
        if !isByteLevel { steps.append(.byteLevel) }
      case "CharDelimiterSplit":
        let delimiter = try component.member("delimiter").character()
        steps.append(.split(.text(.literal(delimiter)), .removed, isInverted: false))
      case "Digits":
        let isIndividual = try component.member("individual_digits").boolean(fallback: false)
        steps.append(.split(.text(.each(.number)), isIndividual ? .isolated : .contiguous, isInverted: false))
      case "Metaspace": steps.append(.metaspace(try Metaspace(component)))
      case "Punctuation":
        let behavior = try SplitBehavior(component.member("behavior"), fallback: .isolated)
        steps.append(.split(.text(.each(.punctuation)), behavior, isInverted: false))
      case "Split": steps.append(try Step(split: component))
      case "Whitespace":
        let pattern = Section(file: component.file, name: component.name, value: JSON(Self.wordsOrSigns))
        steps.append(.split(.regularExpression(try RegularExpression(pattern)), .removed, isInverted: true))
      case "WhitespaceSplit": steps.append(.split(.text(.each(.whiteSpace)), .removed, isInverted: false))
      case let type:
        throw component.unsupported(
          type,
          supported: "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, Split, "
            + "Whitespace, WhitespaceSplit, Sequence, null")
      }
    }
    self.init(steps: steps, isByteLevel: isByteLevel)
  }

  /// `\w+|[^\w\s]+`, where `\w` is that of Rust (UTS #18, Annex C).
  private static let wordsOrSigns =
    #"[[:word:]\x{200C}\x{200D}]+|[^[:word:]\x{200C}\x{200D}\s]+"#
}

extension PreTokenizer.Step {
  /// Reads a Split pre-tokenizer.
  ///
  /// - Throws: an `ErrataError` for a pattern or a behaviour that is not supported.
  fileprivate init(split section: Section) throws {
    let pattern = section.member("pattern")
    let behavior = try SplitBehavior(section.member("behavior"))
    let isInverted = try section.member("invert").boolean(fallback: false)
    // The known patterns match every text completely, so removing what they do not match removes nothing.
    if behavior == .isolated || (behavior == .removed && isInverted),
      let known = pattern.value["Regex"]?.stringValue.flatMap(SplitPattern.init(rawValue:))
    {
      self = .pattern(known)
    } else {
      self = .split(try Pattern(pattern), behavior, isInverted: isInverted)
    }
  }
}

extension SplitBehavior {
  /// - Parameter fallback: for a file that does not say.
  /// - Throws: an `ErrataError` for a behaviour that is not known.
  fileprivate init(_ section: Section, fallback: SplitBehavior? = nil) throws {
    if section.value.isNull, let fallback {
      self = fallback
      return
    }
    guard let known = SplitBehavior(rawValue: try section.string()) else {
      throw section.unsupported(
        try section.string(), supported: SplitBehavior.allCases.map(\.rawValue).joined(separator: ", "))
    }
    self = known
  }
}
