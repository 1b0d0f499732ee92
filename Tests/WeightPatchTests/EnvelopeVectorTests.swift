import Tensors
import Testing

@testable import WeightPatch

/// Envelopes against the DSSE specification: protocol.md and testvectors/vectors.json of secure-systems-lab/dsse. The
/// keys A and B of the vectors are TEST 1 and TEST 2 of RFC 8032.
@Suite struct EnvelopeVectorTests {
  private static let inToto: ByteString = "application/vnd.in-toto+json"
  private static let statement = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ=="
  private static let statementByA =
    "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
  private static let statementByB =
    "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw=="

  struct Vector: Sendable, CustomStringConvertible {
    var description: String
    var payload: String
    var type: ByteString = inToto
    var signatures: [String]
    /// What the signatures are over, in hexadecimal digits.
    var signed: String
    var trusted: [Character] = ["A"]
    var threshold = 1
    var supported: [ByteString] = [inToto]
    var isAccepted = true
  }

  private static let signedStatement =
    "445353457631203238206170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e203433207b225f74797065223a2268747470"
    + "733a2f2f696e2d746f746f2e696f2f53746174656d656e742f7631227d"

  static let vectors = [
    Vector(
      description: "single-signature", payload: statement, signatures: [statementByA], signed: signedStatement),
    Vector(
      description: "url-safe-base64", payload: "-_-_Pj8=",
      signatures: ["P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw=="],
      signed: "445353457631203238206170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e203520fbffbf3e3f"),
    Vector(
      description: "payload-type-swapped", payload: statement, type: "application/vnd.example.other+json",
      signatures: [statementByA], signed: signedStatement,
      supported: [inToto, "application/vnd.example.other+json"], isAccepted: false),
    Vector(
      description: "non-ascii-payload-type", payload: statement, type: "application/vnd.ex\u{E4}mple+json",
      signatures: ["xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw=="],
      signed:
        "445353457631203239206170706c69636174696f6e2f766e642e6578c3a46d706c652b6a736f6e203433207b225f74797065223a22"
        + "68747470733a2f2f696e2d746f746f2e696f2f53746174656d656e742f7631227d",
      supported: ["application/vnd.ex\u{E4}mple+json"]),
    Vector(
      description: "empty-payload", payload: "",
      signatures: ["gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg=="],
      signed: "445353457631203238206170706c69636174696f6e2f766e642e696e2d746f746f2b6a736f6e203020"),
    Vector(
      description: "empty-payload-type", payload: statement, type: "",
      signatures: ["iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg=="],
      signed: "445353457631203020203433207b225f74797065223a2268747470733a2f2f696e2d746f746f2e696f2f53746174656d656e742f"
        + "7631227d",
      isAccepted: false),
    Vector(
      description: "threshold-two-distinct-keys", payload: statement, signatures: [statementByA, statementByB],
      signed: signedStatement, trusted: ["A", "B"], threshold: 2),
    Vector(
      description: "threshold-two-one-key-twice", payload: statement, signatures: [statementByA, statementByA],
      signed: signedStatement, trusted: ["A", "B"], threshold: 2, isAccepted: false),
  ]

  private func key(_ name: Character) -> PrivateKey {
    PrivateKey(seed: hexadecimal(Ed25519VectorTests.rfc8032[name == "A" ? 0 : 1].seed))
  }

  @Test(arguments: vectors, [true, false]) func agreesWithTheVectors(_ vector: Vector, _ hasKeyIDs: Bool) throws {
    let signatures = zip(vector.signatures, ["A", "B"]).map { signature, name -> JSON in
      hasKeyIDs ? ["sig": JSON(signature), "keyid": JSON(name)] : ["sig": JSON(signature)]
    }
    let json: JSON = [
      "payload": JSON(vector.payload), "payloadType": .string(vector.type), "signatures": .array(signatures),
    ]
    let envelope = try SignatureEnvelope(parsing: json.serialized())
    let signed = hexadecimal(vector.signed)
    let signers = vector.trusted.filter { name in
      envelope.signatures.contains { key(name).publicKey.accepts($0.bytes, for: envelope.signedBytes) }
    }
    let isAccepted = signers.count >= vector.threshold && vector.supported.contains(envelope.payloadType)
    #expect(isAccepted == vector.isAccepted)
    #expect((envelope.signedBytes == signed) == (vector.description != "payload-type-swapped"))
    let byA = vector.signatures[0].replacing("-", with: "+").replacing("_", with: "/")
    #expect(try base64(key("A").signature(for: signed)) == byA)
    let again = try SignatureEnvelope(parsing: envelope.serialized())
    #expect(again.signedBytes == envelope.signedBytes)
    #expect(again.signatures.map(\.bytes) == envelope.signatures.map(\.bytes))
    #expect(again.signatures.map(\.keyIdentifier) == envelope.signatures.map(\.keyIdentifier))
  }

  @Test func encodesBeforeSigning() {
    let encoded = SignatureEnvelope.preAuthenticationEncoding(
      type: "http://example.com/HelloWorld", payload: Array("hello world".utf8))
    #expect(encoded == Array("DSSEv1 29 http://example.com/HelloWorld 11 hello world".utf8))
  }

  /// The example of protocol.md, whose signature is ECDSA: read, and by no key of ours.
  @Test func readsTheExampleOfTheProtocol() throws {
    let text = #"""
      {"payload": "aGVsbG8gd29ybGQ=",
       "payloadType": "http://example.com/HelloWorld",
       "signatures": [
       {"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}
      """#
    let envelope = try SignatureEnvelope(parsing: Array(text.utf8))
    #expect(envelope.payload == Array("hello world".utf8))
    #expect(envelope.signatures.count == 1 && envelope.signatures[0].bytes.count == 64)
    #expect(envelope.signatures[0].keyIdentifier == nil)
    #expect(!key("A").publicKey.accepts(envelope.signatures[0].bytes, for: envelope.signedBytes))
  }

  // MARK: Base64

  @Test(arguments: 0...70) func readsTheBase64ItWrites(_ count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 251) }
    let text = base64(bytes)
    #expect(decodeBase64(ByteString(text)) == bytes)
    #expect(
      decodeBase64(ByteString(text.replacing("+", with: "-").replacing("/", with: "_"))) == bytes)
  }

  /// Other texts for the same bytes, and what is no base64.
  @Test(
    arguments: [
      "AB==", "AAB=", "AA", "AA=", "AAA", "A===", "AA==A", "AA==AA==", "A A=", "AA==\n", "+_AA", "\u{E4}A==",
    ])
  func readsOneBase64PerBytes(_ text: String) {
    #expect(decodeBase64(ByteString(text)) == nil)
  }
}
