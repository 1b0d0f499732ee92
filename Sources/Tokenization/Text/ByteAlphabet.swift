/// How byte-level vocabularies spell bytes: each of the 256 byte values as one visible character.
///
/// The bytes that are printable in Latin-1 stand for themselves; the others are, in order, the characters from U+0100
/// on. This is `bytes_to_unicode` of GPT-2's encoder (https://github.com/openai/gpt-2, src/encoder.py).
enum ByteAlphabet {
  /// The UTF-8 spelling of each byte.
  static let spellings: [[UInt8]] = scalars.map { Array(String($0).utf8) }

  private static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { next += 1 }
        return Unicode.Scalar(next)!
      }
    }
  }()

  /// The byte that each code point spells; nil if it spells none.
  private static let values: [UInt8?] = {
    var values = [UInt8?](repeating: nil, count: 0x100 + 68)
    for (byte, scalar) in scalars.enumerated() { values[Int(scalar.value)] = UInt8(byte) }
    return values
  }()

  /// What takes the place of each byte that is not spelled as itself.
  static func replacements(in bytes: UnsafeBufferPointer<UInt8>) -> [(range: Range<Int>, bytes: [UInt8])] {
    bytes.indices.compactMap { 0x21...0x7E ~= bytes[$0] ? nil : ($0..<$0 + 1, spellings[Int(bytes[$0])]) }
  }

  static func spelling(of bytes: some Sequence<UInt8>) -> [UInt8] {
    bytes.flatMap { spellings[Int($0)] }
  }

  /// The bytes that `token` spells; nil if a character of it stands for no byte, as in most special tokens.
  static func bytes(of token: some Sequence<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    for scalar in String(decoding: Array(token), as: UTF8.self).unicodeScalars {
      guard scalar.value < values.count, let byte = values[Int(scalar.value)] else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
