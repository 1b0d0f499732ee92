import Tensors

/// What keeps `errata eval` from its end.
extension ErrataError {
  static let interrupted = ErrataError(
    .general, "interrupted", outcome: "what was measured before is above, and marked as partial")

  static let nothingToScore = ErrataError(
    .usage,
    "give --facts, --perplexity or --downstream: what the checkpoints are scored on; no ledger here names facts",
    remedy: .help("errata eval"))
}
