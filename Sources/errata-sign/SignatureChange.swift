import Tensors
import ToolSupport
import WeightPatch

/// What is done to the signatures of a patch.
enum SignatureChange {
  case sign(with: PrivateKey, note: String?)
  /// Takes off those by a key, of which these are the first digits.
  case remove(String)
  case removeAll

  /// What became of it.
  struct Effect {
    let isChange: Bool
    /// For people.
    let text: String
    /// For `--json`.
    let members: JSONObject
  }

  /// - Parameters:
  ///   - path: what messages call the patch.
  ///   - name: the name of the file, which a signature tells to people.
  /// - Throws: an `ErrataError` if there is a signature that does not hold, no room, or none by the key to be removed.
  func make(in signing: inout PatchSigning, of path: String, name: String) throws -> Effect {
    let before = signing.signatureCount
    switch self {
    case .sign(let key, let note):
      let statement = SignatureStatement(
        of: signing.file, name: name, created: timestamp(),
        tool: Manifest.Tool(name: "errata", version: errataVersion), note: note)
      let isNew = try signing.sign(with: key, statement)
      let identifier = key.publicKey.identifier
      return Effect(
        isChange: isNew, text: "\(isNew ? "signed" : "already signed") with key \(identifier.abbreviated)",
        members: JSONObject(["signed": .bool(isNew), "key": JSON(identifier)]))
    case .remove(let digits):
      guard signing.remove(keyIdentifier: digits) > 0 else { throw ErrataError.noSuchSignature(path, digits) }
    case .removeAll: signing.removeAll()
    }
    let (removed, left) = (before - signing.signatureCount, signing.signatureCount)
    return Effect(
      isChange: removed > 0,
      text: removed == 0
        ? "has no signature"
        : "\(counted(removed, "signature")) taken off, \(left == 0 ? "none" : "\(left)") left",
      members: JSONObject(["removed": .integer(removed)]))
  }
}
