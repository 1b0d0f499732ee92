/// A string compared byte by byte.
///
/// Swift's `String` treats canonically equivalent texts ("é" in one code point or two) as equal. Vocabularies, tensor
/// names and the check for duplicate keys must not, so their keys are byte strings.
public struct ByteString: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public var bytes: [UInt8]

  @inlinable
  public init(_ bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
  }

  @inlinable
  public init(_ text: String) {
    self.bytes = Array(text.utf8)
  }

  @inlinable
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// The bytes as text; what is not UTF-8 is shown as U+FFFD.
  public var description: String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// Bytewise (unsigned, lexicographic), which for UTF-8 is the order of the code points.
  @inlinable
  public static func < (left: ByteString, right: ByteString) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}
