import Tensors

/// A signature that a patch carries, and what is known about it.
public struct PatchSignature: Sendable, Equatable {
  public enum Status: Sendable, Equatable {
    /// This key made it, for this patch.
    case holds(TrustedKey)
    /// A trusted key made it, for this patch, but the policy does not take it: continues "not counted".
    case notCounted(String)
    /// None of the keys at hand made it; whether it holds is not known.
    case notChecked
    /// It says something else than that the patch is signed, which is none of our business.
    case notUnderstood(String)
    /// It is no signature, or not of this patch, or not by the key that it names.
    case fails(reason: String)
  }

  /// The number of its frame, from 1.
  public let frame: Int
  /// Which key it says that it is by. Written by anyone.
  public let claimedKey: String?
  /// What it says. Written by anyone unless it holds.
  public let statement: SignatureStatement?
  public internal(set) var status: Status

  /// The signature as a policy takes it.
  func counted(by policy: TrustPolicy) -> PatchSignature {
    guard case .holds(let signer) = status, let objection = policy.objection(to: signer, created: statement?.created)
    else { return self }
    var result = self
    result.status = .notCounted(objection)
    return result
  }
}

extension PatchSignature {
  /// The signatures of a patch, in its order.
  ///
  /// - Parameter keys: those that are tried. A signature that names one of them must be by it.
  public static func read(_ file: PatchFile, keys: [TrustedKey] = []) -> [PatchSignature] {
    read(file.signatures, of: file, keys: keys)
  }

  /// Reads signatures as those of a patch, in its order.
  ///
  /// - Parameters:
  ///   - frames: the payloads of the signature frames.
  ///   - keys: those that are tried. A signature that names one of them must be by it.
  static func read(_ frames: [[UInt8]], of file: PatchFile, keys: [TrustedKey] = []) -> [PatchSignature] {
    frames.enumerated().flatMap { read($1, number: $0 + 1, file, keys) }
  }

  private static func read(_ frame: [UInt8], number: Int, _ file: PatchFile, _ keys: [TrustedKey]) -> [PatchSignature] {
    let envelope: SignatureEnvelope
    do {
      envelope = try SignatureEnvelope(parsing: frame)
    } catch {
      return [PatchSignature(frame: number, claimedKey: nil, statement: nil, status: .fails(reason: error.reason))]
    }
    let message = envelope.signedBytes
    return envelope.signatures.map { signature in
      var status = status(of: signature, message, keys)
      var statement: SignatureStatement?
      if envelope.payloadType == SignatureStatement.payloadType {
        do throws(SignatureError) {
          statement = try SignatureStatement(parsing: envelope.payload, about: file)
          if statement == nil, !status.isFailure { status = .notUnderstood("a statement of another type") }
        } catch {
          status = .fails(reason: error.reason)
        }
      } else if !status.isFailure {
        status = .notUnderstood("a payload of another type")
      }
      return PatchSignature(
        frame: number, claimedKey: signature.keyIdentifier, statement: statement, status: status)
    }
  }

  private static func status(
    of signature: SignatureEnvelope.Signature, _ message: [UInt8], _ keys: [TrustedKey]
  ) -> Status {
    let named = keys.first { $0.key.identifier.description == signature.keyIdentifier }
    if let signer = (named.map { [$0] } ?? keys).first(where: { $0.key.accepts(signature.bytes, for: message) }) {
      return .holds(signer)
    }
    guard let named else { return .notChecked }
    return .fails(reason: "key \(named) did not make it")
  }
}

extension PatchSignature.Status {
  public var isFailure: Bool { if case .fails = self { true } else { false } }
}

// MARK: - Words

extension PatchSignature: CustomStringConvertible {
  /// For people: `key 21fe31dfa154, 2026-01-31T12:00:00Z: not checked`. Texts of the signer's are cut short, and not
  /// escaped.
  public var description: String {
    var parts = [signer]
    if let statement {
      parts.append(String(statement.created.prefix(24)))
      if let note = statement.note { parts.append("\"\(note.prefix(200))\"") }
    }
    return "\(parts.joined(separator: ", ")): \(status)"
  }

  private var signer: String {
    if case .holds(let key) = status { return "key \(key)" }
    guard let claimedKey else { return "no key ID" }
    return "key \(Digest(hexadecimal: claimedKey)?.abbreviated ?? String(claimedKey.prefix(24)))"
  }
}

extension PatchSignature.Status: CustomStringConvertible {
  public var description: String {
    switch self {
    case .holds: "holds"
    case .notCounted(let reason): "not counted: \(reason)"
    case .notChecked: "not checked"
    case .notUnderstood(let what): "not checked: \(what)"
    case .fails(let reason): "does not hold: \(reason)"
    }
  }
}

extension PatchSignature {
  /// The signature in a tool's `--json`.
  public var json: JSON {
    var object = JSONObject()
    object["frame"] = .integer(frame)
    object["claimed_key"] = JSON(claimedKey)
    switch status {
    case .holds(let signer):
      object["status"] = "holds"
      object["key"] = JSON(signer.key.identifier)
      object["signer"] = JSON(signer.name)
    case .notCounted(let reason):
      object["status"] = "not_counted"
      object["reason"] = JSON(reason)
    case .notChecked: object["status"] = "not_checked"
    case .notUnderstood(let what):
      object["status"] = "not_understood"
      object["reason"] = JSON(what)
    case .fails(let reason):
      object["status"] = "fails"
      object["reason"] = JSON(reason)
    }
    if let statement {
      object["patch_name"] = JSON(statement.name)
      object["created"] = JSON(statement.created)
      object["fact_count"] = .integer(statement.factCount)
      object["note"] = JSON(statement.note)
    }
    return .object(object)
  }
}
