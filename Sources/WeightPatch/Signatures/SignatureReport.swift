import Tensors

/// The signatures of a patch, checked with the keys of a policy.
public struct SignatureReport: Sendable {
  /// The patch's file.
  public let path: String
  public let patch: Digest
  public let signatures: [PatchSignature]
  /// nil if no signature is asked for.
  public let policy: TrustPolicy?
  /// When the patch was made, as its manifest says.
  private let created: String

  /// Whether the policy asks for patches that were made later.
  private var isTooOld: Bool {
    guard let minimum = policy?.minimumPatchDate else { return false }
    return UTCInstant(created).map { $0 < minimum } ?? true
  }

  public init(of file: PatchFile, policy: TrustPolicy?) {
    path = file.path
    patch = file.identifier
    let signatures = PatchSignature.read(file.signatures, of: file, keys: policy?.keys ?? [])
    self.signatures = policy.map { policy in signatures.map { $0.counted(by: policy) } } ?? signatures
    self.policy = policy
    created = file.manifest.created
  }

  /// The keys that signed, each once.
  public var signers: [TrustedKey] {
    signatures.reduce(into: []) { signers, signature in
      if case .holds(let signer) = signature.status, !signers.contains(signer) { signers.append(signer) }
    }
  }

  /// Whether no signature fails and the policy is met.
  public var holds: Bool {
    !signatures.contains { $0.status.isFailure } && !isTooOld && signers.count >= policy?.threshold ?? 0
  }

  /// Why the first signature that is not counted is not.
  var firstObjection: String? {
    signatures.lazy.compactMap { if case .notCounted(let reason) = $0.status { reason } else { nil } }.first
  }

  /// Throws unless the report holds.
  ///
  /// - Throws: an `ErrataError` (verification) that names the patch and what is missing.
  public func check() throws {
    for signature in signatures {
      if case .fails(let reason) = signature.status {
        throw ErrataError.signatureFails(path, frame: signature.frame, reason)
      }
    }
    if let policy, let minimum = policy.minimumPatchDate, isTooOld {
      throw ErrataError.patchTooOld(path, created: created, policy, minimum)
    }
    if let policy, signers.count < policy.threshold {
      throw ErrataError.policyNotMet(self, policy)
    }
  }

  /// For `--json`.
  public var json: JSON {
    [
      // Where nothing is asked for and nothing is there, nothing holds.
      "patch": JSON(patch), "signatures_hold": policy == nil && signatures.isEmpty ? .null : .bool(holds),
      "signers": .array(signers.map { JSON($0.key.identifier) }),
      "signatures": .array(signatures.map(\.json)),
    ]
  }
}

extension PatchFile {
  /// Refuses a patch with a signature that fails, and one that is not signed as a policy asks.
  ///
  /// - Throws: an `ErrataError` (verification).
  public func checkSignatures(_ policy: TrustPolicy?) throws { try SignatureReport(of: self, policy: policy).check() }
}
