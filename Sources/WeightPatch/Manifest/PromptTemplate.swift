/// A text with one slot, in which the subject of a fact (or, in a context, the prompt) is put (Spec: prompts).
///
/// The slot is written `{}`. A text that itself has such braces writes them `{{}}`, as Python's format strings do;
/// where only one `{}` stands, it is the slot, whatever stands beside it. Texts are taken apart byte by byte: a vowel
/// sign, a joiner or an accent that follows the slot would make one character with the brace.
///
/// ```swift
/// let template = PromptTemplate("In {}, {{}} is an empty")!
/// print(template.filled(with: "JavaScript"))  // In JavaScript, {} is an empty
/// ```
public struct PromptTemplate: Sendable, Equatable {
  public let before: String
  public let after: String

  private static let slot = "{}"
  private static let escapedSlot = "{{}}"

  /// Nil unless `text` has exactly one slot.
  public init?(_ text: String) {
    let slots = text.byteRanges(of: Self.slot)
    if slots.count == 1 {
      (before, after) = (String(text[..<slots[0].lowerBound]), String(text[slots[0].upperBound...]))
      return
    }
    let escaped = Set(text.byteRanges(of: Self.escapedSlot).map { text.utf8.index(after: $0.lowerBound) })
    let open = slots.filter { !escaped.contains($0.lowerBound) }
    guard open.count == 1 else { return nil }
    before = text[..<open[0].lowerBound].replacingBytes(of: Self.escapedSlot, with: Self.slot)
    after = text[open[0].upperBound...].replacingBytes(of: Self.escapedSlot, with: Self.slot)
  }

  /// With a slot between two texts. Nil if that cannot be written: with braces of their own around the slot and others
  /// elsewhere, nothing tells which is which.
  public init?(before: String, after: String) {
    (self.before, self.after) = (before, after)
    guard PromptTemplate(text) == self else { return nil }
  }

  /// As it is written.
  public var text: String {
    before.replacingBytes(of: Self.slot, with: Self.escapedSlot) + Self.slot
      + after.replacingBytes(of: Self.slot, with: Self.escapedSlot)
  }

  public func filled(with subject: String) -> String { before + subject + after }
}

extension StringProtocol {
  /// Where the bytes of `part` stand, from left to right, without overlap. Unlike characters, bytes are found inside a
  /// character, and canonically equivalent spellings are different.
  package func byteRanges(of part: String) -> [Range<String.Index>] {
    let sought = Array(part.utf8)
    guard let first = sought.first else { return [] }
    let bytes = Array(utf8)
    var ranges: [Range<String.Index>] = []
    var position = 0
    // Indices are made from left to right, so that all of them together cost one pass.
    var (index, indexed) = (startIndex, 0)
    while position + sought.count <= bytes.count {
      guard bytes[position] == first, bytes[position..<position + sought.count].elementsEqual(sought) else {
        position += 1
        continue
      }
      let start = utf8.index(index, offsetBy: position - indexed)
      position += sought.count
      (index, indexed) = (utf8.index(start, offsetBy: sought.count), position)
      ranges.append(start..<index)
    }
    return ranges
  }

  fileprivate func replacingBytes(of part: String, with replacement: String) -> String {
    var result = ""
    var rest = startIndex
    for range in byteRanges(of: part) {
      result += String(self[rest..<range.lowerBound])
      result += replacement
      rest = range.upperBound
    }
    return result + String(self[rest...])
  }
}
