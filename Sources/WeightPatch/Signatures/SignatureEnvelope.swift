import Tensors

/// A DSSE envelope in JSON: a payload, what it is, and signatures over both (Spec: signatures; the DSSE protocol v1.0).
struct SignatureEnvelope {
  struct Signature {
    /// Says which key made it; anyone can change it, and so it decides nothing.
    var keyIdentifier: String?
    var bytes: [UInt8]
  }

  var payloadType: ByteString
  var payload: [UInt8]
  var signatures: [Signature]

  /// More signatures than one envelope can need; each costs time to check.
  static let signatureLimit = 16

  /// What is signed: `DSSEv1`, and type and payload, each after its length in bytes.
  static func preAuthenticationEncoding(type: ByteString, payload: [UInt8]) -> [UInt8] {
    Array("DSSEv1 \(type.bytes.count) ".utf8) + type.bytes + Array(" \(payload.count) ".utf8) + payload
  }

  var signedBytes: [UInt8] { Self.preAuthenticationEncoding(type: payloadType, payload: payload) }
}

// MARK: - JSON

/// Why bytes are not what a signature must be.
struct SignatureError: Error {
  let reason: String
}

extension SignatureEnvelope {
  /// - Throws: `SignatureError` unless the bytes are an envelope. Members that are not known are ignored; an absent
  ///   payload or type is an empty one.
  init(parsing bytes: [UInt8]) throws(SignatureError) {
    let json: JSON
    do {
      json = try JSON.parse(bytes)
    } catch {
      throw SignatureError(reason: "it is not valid JSON at byte \(error.offset)")
    }
    guard let object = json.objectValue else { throw SignatureError(reason: "it is not a DSSE envelope") }
    payloadType = try Self.text("payloadType", in: object) ?? ""
    payload = try Self.content("payload", in: object)
    guard let entries = object["signatures"]?.arrayValue, !entries.isEmpty else {
      throw SignatureError(reason: "it is a DSSE envelope without signatures")
    }
    guard entries.count <= Self.signatureLimit else {
      throw SignatureError(reason: "it has \(entries.count) signatures, more than the \(Self.signatureLimit) allowed")
    }
    signatures = []
    for entry in entries {
      guard let entry = entry.objectValue else { throw SignatureError(reason: "its signatures are not objects") }
      let identifier = try Self.text("keyid", in: entry)?.description
      signatures.append(
        Signature(
          keyIdentifier: identifier == "" ? nil : identifier, bytes: try Self.content("sig", in: entry)))
    }
  }

  private static func text(_ name: ByteString, in object: JSONObject) throws(SignatureError) -> ByteString? {
    guard let value = object[name] else { return nil }
    guard let text = value.bytesValue else { throw SignatureError(reason: "its \(name) is not a string") }
    return text
  }

  private static func content(_ name: ByteString, in object: JSONObject) throws(SignatureError) -> [UInt8] {
    guard let bytes = decodeBase64(try text(name, in: object) ?? "") else {
      throw SignatureError(reason: "its \(name) is not base64")
    }
    return bytes
  }

  /// The envelope's text; the same envelope gives the same bytes.
  func serialized() -> [UInt8] {
    let entries = signatures.map { signature -> JSON in
      var object = JSONObject()
      object["keyid"] = signature.keyIdentifier.map { JSON($0) }
      object["sig"] = JSON(base64(signature.bytes))
      return .object(object)
    }
    let json: JSON = [
      "payload": JSON(base64(payload)), "payloadType": .string(payloadType), "signatures": .array(entries),
    ]
    return json.serialized()
  }
}
