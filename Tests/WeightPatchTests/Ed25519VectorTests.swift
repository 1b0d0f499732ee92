import Tensors
import Testing

@testable import WeightPatch

/// The signature primitive and the encodings of keys, against the numbers of the standards.
@Suite struct Ed25519VectorTests {
  /// RFC 8032, 7.1, TEST 1 to 3.
  static let rfc8032 = [
    (
      seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
      signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ),
    (
      seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
      signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ),
    (
      seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", message: "af82",
      signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    ),
  ]

  @Test(arguments: rfc8032.indices) func signsAsTheStandard(_ index: Int) throws {
    let vector = Self.rfc8032[index]
    let key = PrivateKey(seed: hexadecimal(vector.seed))
    let (message, signature) = (hexadecimal(vector.message), hexadecimal(vector.signature))
    #expect(key.publicKey.bytes == hexadecimal(vector.publicKey))
    #expect(try key.signature(for: message) == signature)
    #expect(key.publicKey.accepts(signature, for: message))
    for position in signature.indices {
      var changed = signature
      changed[position] ^= 1
      #expect(!key.publicKey.accepts(changed, for: message))
    }
    #expect(!key.publicKey.accepts(signature, for: message + [0]))
    #expect(!key.publicKey.accepts(signature + [0], for: message))
    #expect(!key.publicKey.accepts(Array(signature.dropLast()), for: message))
    #expect(!key.publicKey.accepts([], for: message))
  }

  /// S + L signs the same message where S is not checked to be below the group's order L.
  @Test(arguments: rfc8032.indices) func refusesTheOtherFormOfASignature(_ index: Int) throws {
    let vector = Self.rfc8032[index]
    let order = hexadecimal("edd3f55c1a631258d69cf7a2def9de14") + [UInt8](repeating: 0, count: 15) + [0x10]
    var signature = hexadecimal(vector.signature)
    var carry = 0
    for (position, digit) in order.enumerated() {
      let sum = Int(signature[32 + position]) + Int(digit) + carry
      signature[32 + position] = UInt8(sum & 255)
      carry = sum >> 8
    }
    #expect(carry == 0)
    let key = try PublicKey(bytes: hexadecimal(vector.publicKey))
    #expect(!key.accepts(signature, for: hexadecimal(vector.message)))
  }

  /// Under a key of small order, one signature signs many messages.
  @Test func refusesKeysThatProveNothing() {
    let zeros = [UInt8](repeating: 0, count: 31)
    let ones = [UInt8](repeating: 0xFF, count: 30)
    let points = [
      [0] + zeros, [1] + zeros, [0xEC] + ones + [0x7F],
      hexadecimal("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
      hexadecimal("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ]
    // y = p, p + 1, ..., 2^255 - 1: what is read modulo p has another encoding.
    let notCanonical = (0xED...0xFF).map { [UInt8($0)] + ones + [0x7F] }
    for point in points + notCanonical {
      for sign: UInt8 in [0, 0x80] {
        var bytes = point
        bytes[31] |= sign
        #expect(throws: KeyError.self) { try PublicKey(bytes: bytes) }
      }
    }
    for count in [0, 31, 33] {
      #expect(throws: KeyError.self) { try PublicKey(bytes: [UInt8](repeating: 7, count: count)) }
    }
  }

  // MARK: Encodings

  /// RFC 8410, 10.1 and 10.3: the same key pair.
  @Test func readsKeysAsTheStandard() throws {
    let privateText = """
      -----BEGIN PRIVATE KEY-----
      MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
      -----END PRIVATE KEY-----

      """
    let publicText = """
      -----BEGIN PUBLIC KEY-----
      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
      -----END PUBLIC KEY-----

      """
    let key = try PrivateKey(pem: privateText)
    #expect(try PublicKey(pem: publicText) == key.publicKey)
    #expect(key.pem == privateText)
    #expect(key.publicKey.pem == publicText)
    let inAnotherFile = "a comment\n" + publicText.replacing("\n", with: " \r\n") + "and another"
    #expect(try PublicKey(pem: inAnotherFile) == key.publicKey)

    // Version 2 of the structure, with the public key.
    let pair = hexadecimal("3051020101300506032b657004220420") + key.seed + [0x81, 0x21, 0] + key.publicKey.bytes
    #expect(try PrivateKey(encoded: pair).seed == key.seed)
    #expect(throws: KeyError.self) { try PrivateKey(encoded: pair.dropLast() + [0]) }
    #expect(throws: KeyError.self) { try PrivateKey(encoded: key.encoded + [0]) }
    #expect(throws: KeyError.self) { try PrivateKey(encoded: Array(key.encoded.dropLast())) }
  }

  @Test func aNewKeyIsANewKey() throws {
    let (one, other) = (PrivateKey(), PrivateKey())
    #expect(one.seed != other.seed)
    #expect(try PrivateKey(pem: one.pem).seed == one.seed)
    #expect(try PublicKey(pem: one.publicKey.pem) == one.publicKey)
    #expect(one.publicKey.identifier == Digest(of: one.publicKey.encoded))
  }
}

/// The bytes that pairs of digits stand for.
func hexadecimal(_ digits: String) -> [UInt8] {
  let digits = Array(digits)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
}
