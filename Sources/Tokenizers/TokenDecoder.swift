/// Turns tokens into the bytes of the text.
struct TokenDecoder: Sendable {
  /// Appends the bytes that `token` stands for. A token with a character that spells no byte stands for itself.
  func append(_ token: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    if let spelled = ByteAlphabet.bytes(of: token) {
      bytes.append(contentsOf: spelled)
    } else {
      bytes.append(contentsOf: token)
    }
  }

  /// Reads `decoder`.
  ///
  /// - Throws: an `ErrataError` for anything but ByteLevel.
  init(_ section: Section) throws {
    let components = try section.components("decoders")
    for component in components where try component.type() != "ByteLevel" {
      throw component.unsupported(try component.type(), supported: "ByteLevel")
    }
    guard !components.isEmpty else {
      throw section.unsupported("a tokenizer without a decoder", supported: "ByteLevel")
    }
    guard components.count == 1 else {
      throw section.unsupported("a sequence of \(components.count) decoders", supported: "ByteLevel")
    }
  }
}
