import Foundation
import Tensors

/// A public key that someone chose to trust.
public struct TrustedKey: Sendable, Hashable, CustomStringConvertible {
  /// Whose it is, for people.
  public var name: String?
  public var key: PublicKey
  /// From when on what it signs does not count.
  public var expires: UTCInstant?

  /// `21fe31dfa154 (Alice)`.
  public var description: String { key.identifier.abbreviated + (name.map { " (\($0))" } ?? "") }
}

/// By whom a patch must be signed (Spec: signatures, policy).
public struct TrustPolicy: Sendable {
  /// What asks for it, for messages: the policy's path.
  public let source: String
  /// No key twice.
  public let keys: [TrustedKey]
  /// How many of them must have signed.
  public let threshold: Int
  /// The IDs of keys whose signatures count no more, whenever they were made.
  public let revoked: Set<Digest>
  /// Patches from before are refused.
  public let minimumPatchDate: UTCInstant?

  /// The policy that all of these keys must have signed.
  ///
  /// - Parameter keyFiles: paths of public keys; at least one.
  /// - Throws: an `ErrataError` if one cannot be read.
  public init(requiring keyFiles: [String]) throws {
    var keys: [TrustedKey] = []
    for path in keyFiles {
      let key = try KeyFile.publicKey(path: path)
      if !keys.contains(where: { $0.key == key }) { keys.append(TrustedKey(name: fileName(of: path), key: key)) }
    }
    self.keys = keys
    source = "--key"
    threshold = keys.count
    (revoked, minimumPatchDate) = ([], nil)
  }

  /// Why a signature that holds does not count; nil if it does.
  ///
  /// - Parameter created: when it was made, as the signer says.
  func objection(to signer: TrustedKey, created: String?) -> String? {
    if revoked.contains(signer.key.identifier) { return "its key is revoked" }
    guard let expires = signer.expires else { return nil }
    guard let created = created.flatMap(UTCInstant.init) else {
      return "it does not say when it was made, and its key expires"
    }
    return created < expires ? nil : "its key expired on \(expires)"
  }
}

// MARK: - Words

extension TrustPolicy {
  /// The signatures that it asks for.
  var wanted: String {
    let names = keys.map(\.description).joined(separator: ", ")
    return switch (threshold, keys.count) {
    case (1, 1): "a signature by \(names)"
    case (let threshold, let count) where threshold == count: "signatures by \(names)"
    case (1, _): "a signature by one of \(names)"
    default: "signatures by \(threshold) of \(names)"
    }
  }

  /// What is to be said of a patch that was made just now: no one has signed it.
  ///
  /// - Parameters:
  ///   - place: the patch file, or the checkpoint that carries it.
  ///   - patch: what the checkpoint's ledger calls it.
  package func remarkOnNewPatch(in place: String, _ patch: String? = nil) -> String {
    "\(place): \(patch.map { "patch \($0) " } ?? "")is new and not signed, and \(source) asks for \(wanted): "
      + "'errata sign \(place) --key KEY' signs it"
  }
}

// MARK: - The file

extension TrustPolicy {
  static let formatVersion = 1
  /// Far more than any policy.
  private static let largestFile = 1 << 20

  /// Reads a policy and the key files that it names.
  ///
  /// - Throws: an `ErrataError` that names the file and the field. A field that is not known is an error: a policy that
  ///   is not understood protects nothing.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    guard file.bytes.count <= Self.largestFile else { throw ErrataError.badPolicy(path, "it is too large") }
    // Read once: who rewrites it meanwhile does not change what is parsed.
    let text = withExtendedLifetime(file) { Array(file.bytes) }
    let json: JSON
    do {
      json = try JSON.parse(text)
    } catch {
      throw ErrataError.badPolicy(path, "not valid JSON at byte \(error.offset): \(error.reason)")
    }
    guard let object = json.objectValue else { throw ErrataError.badPolicy(path, "it is not a JSON object") }
    try Self.check(object, fields: ["version", "threshold", "keys", "revoked", "minimum_patch_date"], "", path)
    guard object["version"]?.integerValue == Self.formatVersion else {
      throw ErrataError.badPolicy(path, "its version is not \(Self.formatVersion)")
    }
    guard let entries = object["keys"]?.arrayValue, !entries.isEmpty else {
      throw ErrataError.badPolicy(path, "keys is not an array with at least one key")
    }
    var keys: [TrustedKey] = []
    for (index, entry) in entries.enumerated() {
      let key = try Self.key(entry, "keys[\(index)]", path)
      if let first = keys.firstIndex(where: { $0.key == key.key }) {
        throw ErrataError.badPolicy(path, "keys[\(index)] is the same key as keys[\(first)]")
      }
      keys.append(key)
    }
    revoked = try Self.revokedKeys(object["revoked"], path)
    minimumPatchDate = try Self.instant(object["minimum_patch_date"], "minimum_patch_date", path)
    let usable = keys.filter { [revoked] in !revoked.contains($0.key.identifier) }.count
    guard usable > 0 else { throw ErrataError.badPolicy(path, "all of its keys are revoked") }
    let threshold = object["threshold"].map { $0.integerValue } ?? 1
    guard let threshold, (1...usable).contains(threshold) else {
      let which = usable == keys.count ? "" : " that are not revoked"
      throw ErrataError.badPolicy(path, "threshold is not an integer from 1 to the number of keys\(which), \(usable)")
    }
    source = path
    self.keys = keys
    self.threshold = threshold
  }

  private static func key(_ json: JSON, _ field: String, _ path: String) throws -> TrustedKey {
    guard let object = json.objectValue else { throw ErrataError.badPolicy(path, "\(field) is not an object") }
    try check(object, fields: ["name", "file", "key", "expires"], field + ".", path)
    for (name, value) in object.members where value.stringValue == nil {
      throw ErrataError.badPolicy(path, "\(field).\(name) is not a string")
    }
    let name = object["name"]?.stringValue
    let expires = try instant(object["expires"], "\(field).expires", path)
    switch (object["file"]?.stringValue, object["key"]) {
    case (let file?, nil):
      let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
      let location = file.hasPrefix("/") ? file : folder + file
      return TrustedKey(name: name ?? fileName(of: file), key: try KeyFile.publicKey(path: location), expires: expires)
    case (nil, .string(let text)?):
      do {
        return TrustedKey(name: name, key: try publicKey(text), expires: expires)
      } catch {
        throw ErrataError.badPolicy(path, "\(field).key \(error.reason)")
      }
    default: throw ErrataError.badPolicy(path, "\(field) needs either file or key")
    }
  }

  private static func instant(_ json: JSON?, _ field: String, _ path: String) throws -> UTCInstant? {
    guard let json else { return nil }
    guard let instant = json.stringValue.flatMap(UTCInstant.init) else {
      throw ErrataError.badPolicy(path, "\(field) is not a date such as 2026-01-31, or 2026-01-31T12:00:00Z")
    }
    return instant
  }

  private static func revokedKeys(_ json: JSON?, _ path: String) throws -> Set<Digest> {
    guard let json else { return [] }
    let keys = json.arrayValue?.map { $0.stringValue.flatMap(Digest.init(hexadecimal:)) }
    guard let keys, !keys.contains(nil) else {
      throw ErrataError.badPolicy(path, "revoked is not an array of key IDs (64 hexadecimal digits)")
    }
    return Set(keys.compactMap(\.self))
  }

  /// A whole PEM text, or the base64 in it.
  private static func publicKey(_ text: ByteString) throws(KeyError) -> PublicKey {
    if text.description.hasPrefix("-----") { return try PublicKey(pem: text.description) }
    guard let encoded = decodeBase64(text) else { throw KeyError(reason: "is neither PEM nor base64") }
    return try PublicKey(encoded: encoded)
  }

  private static func check(
    _ object: JSONObject, fields: [ByteString], _ prefix: String, _ path: String
  ) throws {
    for name in object.keys where !fields.contains(name) {
      throw ErrataError.badPolicy(path, "\(prefix)\(name) is not a field of a policy")
    }
  }
}
