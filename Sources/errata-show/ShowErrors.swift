import Tensors

/// What `errata show` says when it cannot answer.
extension ErrataError {
  static func noSuchFact(_ path: String, _ text: String) -> ErrataError {
    ErrataError(
      .general, "\(path): no fact has '\(text)' in its subject or at the start of its ID; show it without --fact")
  }
}
