import Tensors

import enum Crypto.Curve25519

/// An Ed25519 public key (RFC 8032).
public struct PublicKey: Hashable, Sendable {
  /// The encoded point, 32 bytes.
  public let bytes: [UInt8]

  /// - Throws: `KeyError` for another number of bytes, a point that is not encoded in the one right way, and the points
  ///   of small order, under which signatures can be made for any text without a private key.
  init(bytes: [UInt8]) throws(KeyError) {
    guard bytes.count == Self.byteCount else { throw KeyError(reason: "is not an Ed25519 key") }
    var ordinate = bytes
    ordinate[31] &= 0x7F
    // Canonical is y < 2^255 - 19.
    let isCanonical = ordinate[0] < 0xED || ordinate[1..<31].contains { $0 != 0xFF } || ordinate[31] != 0x7F
    guard isCanonical, !Self.smallOrdinates.contains(ordinate) else {
      throw KeyError(reason: "is an Ed25519 key that proves nothing (of small order, or not canonical)")
    }
    self.bytes = bytes
  }

  static let byteCount = 32

  /// Whether the key's owner made `signature` for `message` (RFC 8032, 5.1.7, without the cofactor). A signature cannot
  /// be changed into another valid one: S must be below the group's order, and R is compared by its bytes.
  public func accepts(_ signature: [UInt8], for message: [UInt8]) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else { return false }
    return key.isValidSignature(signature, for: message)
  }

  // MARK: The key's form in files (RFC 8410)

  /// A SubjectPublicKeyInfo structure in DER up to the key, which is the rest.
  private static let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

  /// SubjectPublicKeyInfo in DER, 44 bytes.
  public var encoded: [UInt8] { Self.prefix + bytes }

  /// - Throws: `KeyError` if this is not the encoding of an Ed25519 key.
  init(encoded: [UInt8]) throws(KeyError) {
    guard encoded.starts(with: Self.prefix) else { throw KeyError(reason: "is not an Ed25519 public key") }
    try self.init(bytes: Array(encoded.dropFirst(Self.prefix.count)))
  }

  /// The key ID: SHA-256 of the SubjectPublicKeyInfo.
  public var identifier: Digest { Digest(of: encoded) }

  // MARK: Small order

  /// y of the eight points whose order divides the cofactor; points with the same y differ in the sign bit.
  private static let smallOrdinates: Set<[UInt8]> = [
    [UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31),
    [0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
    Digest(hexadecimal: "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")!.bytes,
    Digest(hexadecimal: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")!.bytes,
  ]
}

/// Why bytes are not a key that can be used.
struct KeyError: Error {
  let reason: String
}
