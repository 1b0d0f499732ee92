import Tensors

/// What is wrong with keys, signatures and policies, in words.
extension ErrataError {
  static func badKey(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, reason)
  }

  static func keyExists(_ path: String) -> ErrataError {
    ErrataError(.general, path, "exists already", remedy: "a key is never overwritten: name another file")
  }

  static func badPolicy(_ path: String, _ problem: String) -> ErrataError {
    ErrataError(.damagedInput, path, "bad policy", cause: problem)
  }

  // MARK: Signatures

  static func signatureFails(_ path: String, frame: Int, _ reason: String) -> ErrataError {
    ErrataError(.verification, path, "signature \(frame) does not hold", cause: reason, remedy: .removeSignatures)
  }

  static func policyNotMet(_ report: SignatureReport, _ policy: TrustPolicy) -> ErrataError {
    let signers = report.signers.map(\.description).joined(separator: ", ")
    let found =
      if !signers.isEmpty { "is signed by \(signers) alone" } else if report.signatures.isEmpty {
        "is not signed"
      } else if let reason = report.firstObjection {
        "has a signature that does not count: \(reason)"
      } else { "is not signed by a trusted key" }
    return ErrataError(.verification, report.path, "\(found); \(policy.source) asks for \(policy.wanted)")
  }

  static func patchTooOld(
    _ path: String, created: String, _ policy: TrustPolicy, _ minimum: UTCInstant
  ) -> ErrataError {
    ErrataError(
      .verification, path,
      "was made on \(created.prefix(40)); \(policy.source) takes no patch from before \(minimum)",
      remedy: "get a newer one")
  }

  package static func forcedUnderPolicy(_ patch: String, _ policy: TrustPolicy, _ checkpoint: String) -> ErrataError {
    ErrataError(
      .verification, patch,
      "is not for \(checkpoint) as it is, and \(policy.source) takes a patch only on what it was made for, "
        + "forced or not")
  }

  public static func nothingIsSigned(_ checkpoint: String) -> ErrataError {
    ErrataError(
      .verification, checkpoint,
      "has no ledger, so no signature says what its weights should be",
      remedy: .compareWithBase)
  }

  static func tooManySignatures(_ path: String, limit: Int) -> ErrataError {
    ErrataError(
      .general, path, "has \(limit) signatures already, the most that a patch can carry", remedy: "remove one first")
  }

  static func noteTooLong(_ path: String, limit: Int) -> ErrataError {
    ErrataError(.general, path, "the signature would take more than \(limit) bytes", remedy: "shorten the note")
  }
}
