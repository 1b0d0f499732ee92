import Tensors

/// What a signer says of a patch: an in-toto Statement v1 with a predicate of ours (Spec: signatures).
public struct SignatureStatement: Sendable, Equatable {
  /// The name of the signed file, for people.
  public var name: String?
  /// When, as the signer says: ISO 8601, UTC.
  public var created: String
  /// How many facts the patch has.
  public var factCount: Int
  /// What made the signature, for people.
  public var tool: Manifest.Tool?
  /// For people.
  public var note: String?

  /// - Parameter created: the present, in ISO 8601, UTC.
  public init(of file: PatchFile, name: String, created: String, tool: Manifest.Tool, note: String? = nil) {
    self.name = name
    self.created = created
    factCount = file.patch.manifest.factCount
    self.tool = tool
    self.note = note
  }
}

// MARK: - JSON

extension SignatureStatement {
  static let payloadType: ByteString = "application/vnd.in-toto+json"
  static let type: ByteString = "https://in-toto.io/Statement/v1"
  static let predicateType: ByteString = "urn:errata:wpatch-signature:1"

  /// The payload: a statement about the content with this patch ID. The same statement gives the same bytes.
  func serialized(patch: Digest) -> [UInt8] {
    var subject = JSONObject()
    subject["name"] = name.map { JSON($0) }
    subject["digest"] = ["sha256": JSON(patch.description)]
    var predicate = JSONObject()
    predicate["created"] = JSON(created)
    predicate["facts"] = .integer(factCount)
    predicate["note"] = note.map { JSON($0) }
    predicate["tool"] = tool.map { ["name": JSON($0.name), "version": JSON($0.version)] }
    let json: JSON = [
      "_type": .string(Self.type), "subject": [.object(subject)], "predicateType": .string(Self.predicateType),
      "predicate": .object(predicate),
    ]
    return json.serialized()
  }

  /// Reads a statement about `patch`.
  ///
  /// - Returns: nil for a statement that says something else than that the patch is signed.
  /// - Throws: `SignatureError` if it is not well formed, or not about this patch.
  init?(parsing payload: [UInt8], about patch: Patch) throws(SignatureError) {
    let json: JSON
    do {
      json = try JSON.parse(payload)
    } catch {
      throw SignatureError(reason: "its statement is not valid JSON at byte \(error.offset)")
    }
    guard json["_type"]?.bytesValue == Self.type else { return nil }
    let subjects = json["subject"]?.arrayValue ?? []
    let identifier = patch.identifier.description
    guard let subject = subjects.first(where: { $0["digest"]?["sha256"]?.stringValue == identifier }) else {
      let other = subjects.lazy.compactMap { $0["digest"]?["sha256"]?.stringValue.flatMap(Digest.init(hexadecimal:)) }
      throw SignatureError(
        reason: other.first.map { "it is for another patch, \($0.abbreviated)" } ?? "its statement names no patch")
    }
    guard json["predicateType"]?.bytesValue == Self.predicateType else { return nil }
    let predicate = json["predicate"]
    guard let created = predicate?["created"]?.stringValue, let facts = predicate?["facts"]?.integerValue else {
      throw SignatureError(reason: "its statement lacks created or facts")
    }
    guard facts == patch.manifest.factCount else {
      throw SignatureError(
        reason: "it is for \(facts) facts, and the patch has \(patch.manifest.factCount)")
    }
    name = try Self.optionalText(subject["name"], "name")
    note = try Self.optionalText(predicate?["note"], "note")
    if let tool = predicate?["tool"] {
      guard let name = tool["name"]?.stringValue, let version = tool["version"]?.stringValue else {
        throw SignatureError(reason: "the tool of its statement has no name or no version")
      }
      self.tool = Manifest.Tool(name: name, version: version)
    } else {
      tool = nil
    }
    self.created = created
    factCount = facts
  }

  private static func optionalText(_ json: JSON?, _ field: String) throws(SignatureError) -> String? {
    guard let json else { return nil }
    guard let text = json.stringValue else {
      throw SignatureError(reason: "the \(field) in its statement is not a string")
    }
    return text
  }
}
