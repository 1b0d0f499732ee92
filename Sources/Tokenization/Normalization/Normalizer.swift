import Tensors

/// What is done to the text before it is split.
struct Normalizer: Sendable {
  private enum Step {
    case form(NormalizationForm)
    case prepend([UInt8])
    case replace(Pattern, by: [UInt8])
    case strip(left: Bool, right: Bool)
    /// Each character by what it becomes; nil leaves it.
    case map(@Sendable (Unicode.Scalar) -> String?)
    case characterMap(CharacterMap)
    case byteLevel
  }

  private let steps: [Step]

  /// Normalizes `text`.
  ///
  /// - Parameter isContinuation: nothing is put before it.
  /// - Throws: an `ErrataError` if a regular expression backtracks without end.
  func apply(to text: inout AlignedText, isContinuation: Bool = false) throws(ErrataError) {
    for step in steps {
      switch step {
      case .form(let form): text.normalize(to: form)
      case .prepend(let bytes):
        if !text.bytes.isEmpty, !isContinuation { text.replace([(0..<0, bytes)]) }
      case .replace(let pattern, let bytes):
        let matches = try text.bytes.withUnsafeBufferPointer { (text) throws(ErrataError) in
          try pattern.matches(in: text)
        }
        text.replace(matches.map { ($0, bytes) })
      case .strip(let left, let right): text.strip(left: left, right: right)
      case .map(let change): text.map(change)
      case .characterMap(let map): text.replace(map.replacements(in: String(decoding: text.bytes, as: UTF8.self)))
      case .byteLevel: text.replace(text.bytes.withUnsafeBufferPointer { ByteAlphabet.replacements(in: $0) })
      }
    }
  }
}

extension Normalizer {
  /// Reads `normalizer`.
  ///
  /// - Throws: an `ErrataError` for a kind of normalizer that is not supported.
  init(_ section: Section) throws {
    steps = try section.components("normalizers").map { component in
      let type = try component.type()
      if let form = NormalizationForm(rawValue: type) { return .form(form) }
      switch type {
      case "ByteLevel": return .byteLevel
      case "Lowercase": return .map(CharacterChange.lowercase)
      case "Nmt": return .map(CharacterChange.nmt)
      case "StripAccents": return .map(CharacterChange.stripAccents)
      case "Precompiled": return .characterMap(try CharacterMap(component.member("precompiled_charsmap")))
      case "Prepend": return .prepend(try component.member("prepend").bytes().bytes)
      case "Replace":
        return .replace(
          try Pattern(component.member("pattern")), by: try component.member("content").bytes().bytes)
      case "Strip":
        return .strip(
          left: try component.member("strip_left").boolean(), right: try component.member("strip_right").boolean())
      default:
        throw component.unsupported(
          type,
          supported: "ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Strip, "
            + "StripAccents, Sequence, null")
      }
    }
  }
}

/// What normalizers make of a character by itself; nil if they leave it.
private enum CharacterChange {
  @Sendable static func lowercase(_ scalar: Unicode.Scalar) -> String? {
    scalar.properties.changesWhenLowercased ? scalar.properties.lowercaseMapping : nil
  }

  /// Removes marks. The table behind `tokenizers` is that of Unicode 9, where U+1CF2 and U+1CF3 were marks.
  @Sendable static func stripAccents(_ scalar: Unicode.Scalar) -> String? {
    if scalar.value == 0x1CF2 || scalar.value == 0x1CF3 { return "" }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark: return scalar.wasKnown(inUnicode: 9) ? "" : nil
    default: return nil
    }
  }

  /// The characters that SentencePiece's NMT rules remove, or make a space.
  @Sendable static func nmt(_ scalar: Unicode.Scalar) -> String? {
    switch scalar.value {
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: ""
    case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: " "
    default: nil
    }
  }
}

extension AlignedText {
  fileprivate mutating func map(_ change: (Unicode.Scalar) -> String?) {
    var replacements: [(range: Range<Int>, bytes: [UInt8])] = []
    var position = 0
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      let end = position + UTF8.width(scalar)
      if let changed = change(scalar) { replacements.append((position..<end, Array(changed.utf8))) }
      position = end
    }
    replace(replacements)
  }

  /// Removes white space from the ends.
  fileprivate mutating func strip(left: Bool, right: Bool) {
    let (start, end) = bytes.withUnsafeBufferPointer { bytes in
      let reader = ClassReader(bytes)
      let start = left ? reader.endOfRun(of: .whiteSpace, from: 0) : 0
      var end = bytes.count
      while right, end > start {
        let previous = reader.start(before: end)
        guard reader.read(at: previous).class == .whiteSpace else { break }
        end = previous
      }
      return (start, end)
    }
    if start > 0 || end < bytes.count { self = part(start..<end) }
  }
}
