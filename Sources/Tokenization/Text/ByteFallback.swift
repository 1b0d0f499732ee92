/// Byte tokens, as SentencePiece spells them: "<0x00>" to "<0xFF>". A character without a token of its own becomes the
/// tokens of its UTF-8 bytes.
enum ByteFallback {
  private static let digits = Array("0123456789ABCDEF".utf8)

  /// The token of each byte value.
  static let spellings: [[UInt8]] = (0..<256).map {
    Array("<0x".utf8) + [digits[$0 >> 4], digits[$0 & 15]] + Array(">".utf8)
  }

  /// The byte that `token` spells, with hexadecimal digits of either case; nil for any other token.
  static func byte(of token: some RandomAccessCollection<UInt8>) -> UInt8? {
    guard token.count == 6, token.starts(with: Array("<0x".utf8)), token.last == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: token.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
  }
}
