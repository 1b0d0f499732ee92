import Tensors

/// What is done to the text before it is split.
struct Normalizer: Sendable {
  private enum Step {
    case form(NormalizationForm)
    case prepend([UInt8])
    case replace(TextPattern, by: [UInt8])
    case strip(left: Bool, right: Bool)
  }

  private let steps: [Step]

  /// Normalizes `text`.
  ///
  /// - Parameter isContinuation: nothing is put before it.
  func apply(to text: inout AlignedText, isContinuation: Bool = false) {
    for step in steps {
      switch step {
      case .form(let form): text.normalize(to: form)
      case .prepend(let bytes):
        if !text.bytes.isEmpty, !isContinuation { text.replace([(0..<0, bytes)]) }
      case .replace(let pattern, let bytes):
        text.replace(text.bytes.withUnsafeBufferPointer { pattern.matches(in: $0) }.map { ($0, bytes) })
      case .strip(let left, let right): text.strip(left: left, right: right)
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
      case "Prepend": return .prepend(try component.member("prepend").bytes().bytes)
      case "Replace":
        return .replace(
          try TextPattern(component.member("pattern")), by: try component.member("content").bytes().bytes)
      case "Strip":
        return .strip(
          left: try component.member("strip_left").boolean(), right: try component.member("strip_right").boolean())
      default:
        throw component.unsupported(
          type, supported: "NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, Sequence, null")
      }
    }
  }
}

extension AlignedText {
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
