import Foundation

/// What is done to the text before it is split.
struct Normalizer: Sendable {
  private enum Step { case canonicalComposition }

  private let steps: [Step]

  /// Reads `normalizer`.
  ///
  /// - Throws: an `ErrataError` for a kind of normalizer that is not supported.
  init(_ section: Section) throws {
    steps = try section.components("normalizers").map { component in
      switch try component.type() {
      case "NFC": .canonicalComposition
      case let type: throw component.unsupported(type, supported: "NFC, Sequence, null")
      }
    }
  }

  func apply(to text: inout AlignedText) {
    for step in steps {
      switch step {
      case .canonicalComposition: compose(&text)
      }
    }
  }

  /// Unicode normalization form C.
  ///
  /// Composition never crosses the boundary of an extended grapheme cluster: whatever can compose with the character
  /// before it extends its cluster (UAX #29 is written so). So the clusters that change are replaced one by one.
  private func compose(_ text: inout AlignedText) {
    guard text.bytes.contains(where: { $0 >= Self.firstLeadByteOfChange }) else { return }
    let string = String(decoding: text.bytes, as: UTF8.self)
    guard !string.utf8.elementsEqual(string.precomposedStringWithCanonicalMapping.utf8) else { return }
    var replacements: [(range: Range<Int>, bytes: [UInt8])] = []
    var position = 0
    for character in string {
      let end = position + character.utf8.count
      let composed = Array(String(character).precomposedStringWithCanonicalMapping.utf8)
      if !composed.elementsEqual(text.bytes[position..<end]) { replacements.append((position..<end, composed)) }
      position = end
    }
    text.replace(replacements)
  }

  /// The lead byte of U+0300: all characters before it are composed already, and none of them joins its predecessor.
  private static let firstLeadByteOfChange: UInt8 = 0xCC
}
