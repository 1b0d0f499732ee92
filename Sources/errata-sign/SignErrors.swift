import Tensors

/// What `errata sign` says when there is nothing to do.
extension ErrataError {
  static func noSuchSignature(_ path: String, _ digits: String) -> ErrataError {
    ErrataError(
      .general, path, "no signature names a key \(digits)", remedy: "'errata show' lists those that there are")
  }

  static func nothingToSign(_ checkpoint: String) -> ErrataError {
    ErrataError(
      .general, checkpoint, "has no ledger, so no patch is recorded that could be signed",
      remedy: "sign the patch file, and apply it")
  }
}
