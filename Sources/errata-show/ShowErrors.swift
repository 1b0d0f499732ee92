import Tensors

/// What `errata show` says when it cannot answer.
extension ErrataError {
  static func noSuchFact(_ path: String, _ text: String) -> ErrataError {
    ErrataError(
      .general, path, "no fact has '\(text)' in its subject or at the start of its ID",
      remedy: "show it without --fact")
  }

  static func tradeOffOfCheckpoint(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "--tradeoff is of a patch, and this is a checkpoint; its patches are in its ledger")
  }

  static let noResolveTool = ErrataError(
    .general, "--tradeoff takes the program errata-resolve, which is neither beside errata-show nor on PATH")
}
