/// An instant as patches, signatures and policies write it: ISO 8601, UTC, to the second (Spec: signatures, policy).
///
/// Offline there is no clock to trust: instants are compared with one another only.
public struct UTCInstant: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// `2026-01-31T12:00:00Z`: in this form the order of texts is that of instants.
  public let description: String

  /// Nil unless `text` is `2026-01-31T12:00:00Z`, or a date `2026-01-31`, which stands for its beginning.
  public init?(_ text: String) {
    let text = text.utf8.count == 10 ? text + "T00:00:00Z" : text
    let pattern = Array("0000-00-00T00:00:00Z".utf8)
    let bytes = Array(text.utf8)
    guard bytes.count == pattern.count,
      zip(bytes, pattern).allSatisfy({ $1 == UInt8(ascii: "0") ? (0x30...0x39).contains($0) : $0 == $1 })
    else { return nil }
    func number(_ place: Int) -> Int { Int(bytes[place] - 0x30) * 10 + Int(bytes[place + 1] - 0x30) }
    guard 1...12 ~= number(5), 1...31 ~= number(8), number(11) < 24, number(14) < 60, number(17) < 60 else {
      return nil
    }
    description = text
  }

  public static func < (left: UTCInstant, right: UTCInstant) -> Bool {
    left.description.utf8.lexicographicallyPrecedes(right.description.utf8)
  }
}
