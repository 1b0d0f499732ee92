import Tensors

/// What keeps `errata tune` from its end.
extension ErrataError {
  static let interrupted = ErrataError(.general, "interrupted before every combination was tried")
}
