import Tensors

/// What keeps `errata eval` from its end.
extension ErrataError {
  static let interrupted = ErrataError(
    .general, "interrupted", outcome: "what was measured before is above, and marked as partial")
}
