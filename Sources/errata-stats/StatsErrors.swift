import Tensors

/// What keeps `errata stats` from its end.
extension ErrataError {
  /// - Parameters:
  ///   - tokens: how many were counted.
  ///   - path: where their sums are.
  static func interrupted(after tokens: Int, keptIn path: String) -> ErrataError {
    ErrataError(
      .general, "interrupted after \(tokens) tokens, kept in \(path)", remedy: "run the same command to continue")
  }

  static let factoringInterrupted = ErrataError(.general, "interrupted", outcome: "nothing was written")
}
