import Tensors

/// One block of text around DER bytes (RFC 7468).
struct PEM {
  /// What it says it is: "PUBLIC KEY".
  let label: String
  let content: [UInt8]

  init(label: String, content: [UInt8]) {
    self.label = label
    self.content = content
  }

  /// Reads the one block of a text; what stands before and after it is a comment.
  ///
  /// - Throws: `KeyError` if there is none, or more than one, or if it is damaged.
  init(parsing text: String) throws(KeyError) {
    let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingSuffix(while: \.isWhitespace) }
    let starts = lines.indices.filter { lines[$0].hasPrefix(Self.begin) && lines[$0].hasSuffix(Self.dashes) }
    guard let start = starts.first else { throw KeyError(reason: "is not a key in PEM form") }
    guard starts.count == 1 else { throw KeyError(reason: "holds more than one key") }
    label = String(lines[start].dropFirst(Self.begin.count).dropLast(Self.dashes.count))
    let body = lines[(start + 1)...].prefix { !$0.hasPrefix("-") }
    guard body.endIndex < lines.endIndex, lines[body.endIndex] == Self.end + label + Self.dashes,
      let content = decodeBase64(ByteString(body.joined()))
    else { throw KeyError(reason: "is damaged: its PEM block is not whole") }
    self.content = content
  }

  /// The text, lines of 64 characters.
  var text: String {
    let digits = Array(base64(content))
    let lines = stride(from: 0, to: digits.count, by: 64).map { String(digits[$0..<min($0 + 64, digits.count)]) }
    return ([Self.begin + label + Self.dashes] + lines + [Self.end + label + Self.dashes, ""]).joined(separator: "\n")
  }

  private static let begin = "-----BEGIN "
  private static let end = "-----END "
  private static let dashes = "-----"
}

extension Substring {
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
    self[..<(lastIndex { !predicate($0) }.map(index(after:)) ?? startIndex)]
  }
}

// MARK: - Keys

extension PublicKey {
  static let label = "PUBLIC KEY"

  /// SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it.
  public var pem: String { PEM(label: Self.label, content: encoded).text }

  /// - Throws: `KeyError`.
  init(pem text: String) throws(KeyError) {
    let pem = try PEM(parsing: text)
    guard pem.label == Self.label else { throw .unexpected(pem.label, wanted: "a public key") }
    try self.init(encoded: pem.content)
  }
}

extension PrivateKey {
  static let label = "PRIVATE KEY"

  /// PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
  var pem: String { PEM(label: Self.label, content: encoded).text }

  /// - Throws: `KeyError`.
  init(pem text: String) throws(KeyError) {
    let pem = try PEM(parsing: text)
    guard pem.label == Self.label else { throw .unexpected(pem.label, wanted: "a private key") }
    try self.init(encoded: pem.content)
  }
}

extension KeyError {
  fileprivate static func unexpected(_ label: String, wanted: String) -> KeyError {
    switch label {
    case PublicKey.label: KeyError(reason: "is a public key; \(wanted) is needed")
    case PrivateKey.label: KeyError(reason: "is a private key; \(wanted) is needed")
    case "ENCRYPTED PRIVATE KEY":
      KeyError(reason: "is under a passphrase, which 'openssl pkey -in KEY -out NEW' takes off")
    default:
      KeyError(reason: "is of a kind that is not read (\(label)); 'errata keygen' makes one that is")
    }
  }
}
