import Tensors

/// A patch whose signatures are changed: the rest of the file stays, byte for byte, but for the seal.
public struct PatchSigning {
  /// With the signatures as they are to be.
  public private(set) var file: PatchFile
  /// The payloads of the signature frames as they are to be.
  public private(set) var frames: [[UInt8]] {
    get { file.signatures }
    set { file.signatures = newValue }
  }

  /// - Throws: an `ErrataError` if the file cannot be read or is damaged anywhere.
  public init(path: String) throws { self.init(try PatchFile(path: path)) }

  package init(_ file: PatchFile) { self.file = file }

  /// How many signatures there are, in all frames.
  public var signatureCount: Int { PatchSignature.read(frames, of: file).count }

  /// Adds a signature.
  ///
  /// - Returns: false if the key has signed this patch before; nothing is added then.
  /// - Throws: an `ErrataError` if there is a signature that does not hold, or no room.
  public mutating func sign(with key: PrivateKey, _ statement: SignatureStatement) throws -> Bool {
    let signer = TrustedKey(name: nil, key: key.publicKey)
    for signature in PatchSignature.read(frames, of: file, keys: [signer]) {
      switch signature.status {
      case .holds: return false
      case .fails(let reason): throw ErrataError.signatureFails(file.path, frame: signature.frame, reason)
      case .notChecked, .notUnderstood, .notCounted: break
      }
    }
    let limits = PatchLimits()
    guard frames.count < limits.signatureCount else {
      throw ErrataError.tooManySignatures(file.path, limit: limits.signatureCount)
    }
    var envelope = SignatureEnvelope(
      payloadType: SignatureStatement.payloadType, payload: statement.serialized(patch: file.identifier), signatures: []
    )
    envelope.signatures = [
      SignatureEnvelope.Signature(
        keyIdentifier: key.publicKey.identifier.description, bytes: try key.signature(for: envelope.signedBytes))
    ]
    let frame = envelope.serialized()
    guard frame.count <= limits.signatureByteCount else {
      throw ErrataError.noteTooLong(file.path, limit: limits.signatureByteCount)
    }
    frames.append(frame)
    return true
  }

  /// Adds the signatures of another copy of the patch that this one does not have.
  ///
  /// - Throws: an `ErrataError` if there is no room.
  package mutating func add(of copy: PatchFile) throws {
    let new = copy.signatures.filter { !frames.contains($0) }
    let limit = PatchLimits().signatureCount
    guard frames.count + new.count <= limit else { throw ErrataError.tooManySignatures(file.path, limit: limit) }
    frames += new
  }

  /// Takes away the signatures that name a key, whether or not they hold.
  ///
  /// - Parameter digits: the key ID, or its first digits.
  /// - Returns: how many there were.
  public mutating func remove(keyIdentifier digits: String) -> Int {
    var count = 0
    frames = frames.compactMap { frame in
      guard var envelope = try? SignatureEnvelope(parsing: frame) else { return frame }
      let before = envelope.signatures.count
      envelope.signatures.removeAll { $0.keyIdentifier?.hasPrefix(digits.lowercased()) == true }
      count += before - envelope.signatures.count
      if envelope.signatures.count == before { return frame }
      return envelope.signatures.isEmpty ? nil : envelope.serialized()
    }
    return count
  }

  public mutating func removeAll() { frames = [] }

  /// - Throws: an `ErrataError` if the file cannot be written.
  public func write(to path: String) throws { try file.reader.write(signatures: frames, to: path) }
}
