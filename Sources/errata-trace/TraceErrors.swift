import Tensors

/// What `errata trace` says when it cannot answer.
extension ErrataError {
  static func nothingToTrace(_ model: String) -> ErrataError {
    ErrataError(
      .general, model, "no patch is applied, so there is nothing to trace",
      remedy: "name one with --patch, or apply it")
  }
}
