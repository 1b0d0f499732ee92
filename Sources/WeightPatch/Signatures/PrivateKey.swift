import enum Crypto.Curve25519

/// An Ed25519 private key (RFC 8032).
public struct PrivateKey: Sendable {
  /// The 32 bytes that everything follows from.
  let seed: [UInt8]

  /// A new key from the system's random numbers.
  public init() { seed = Array(Curve25519.Signing.PrivateKey().rawRepresentation) }

  /// - Precondition: 32 bytes.
  init(seed: [UInt8]) {
    precondition(seed.count == 32)
    self.seed = seed
  }

  private var key: Curve25519.Signing.PrivateKey {
    // 32 bytes are always a key.
    try! Curve25519.Signing.PrivateKey(rawRepresentation: seed)
  }

  public var publicKey: PublicKey {
    // No seed gives a point of small order.
    try! PublicKey(bytes: Array(key.publicKey.rawRepresentation))
  }

  /// The signature, 64 bytes; the same message gives the same signature.
  ///
  /// - Throws: the library's error, if it fails.
  func signature(for message: [UInt8]) throws -> [UInt8] { Array(try key.signature(for: message)) }

  // MARK: The key's form in files (RFC 8410, RFC 5958)

  /// A PKCS #8 structure in DER up to the seed, which is the rest.
  private static let prefix: [UInt8] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]
  /// The same in version 2, where the public key follows the seed.
  private static let prefixOfPair: [UInt8] = [
    0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]
  private static let prefixOfPublicKey: [UInt8] = [0x81, 0x21, 0x00]

  /// PKCS #8 in DER, 48 bytes, as OpenSSL writes it.
  var encoded: [UInt8] { Self.prefix + seed }

  /// - Throws: `KeyError` if this is not the encoding of an Ed25519 key, or if the public key beside it is another's.
  init(encoded: [UInt8]) throws(KeyError) {
    let start = Self.prefix.count
    if encoded.starts(with: Self.prefix), encoded.count == start + 32 {
      self.init(seed: Array(encoded[start...]))
      return
    }
    guard encoded.starts(with: Self.prefixOfPair), encoded.count == start + 32 + Self.prefixOfPublicKey.count + 32
    else {
      throw KeyError(reason: "is not an Ed25519 private key")
    }
    self.init(seed: Array(encoded[start..<start + 32]))
    guard encoded[(start + 32)...].elementsEqual(Self.prefixOfPublicKey + publicKey.bytes) else {
      throw KeyError(reason: "is damaged: its public key does not belong to its private key")
    }
  }
}
