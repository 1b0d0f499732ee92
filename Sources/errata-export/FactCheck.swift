import Adapters
import CheckpointLedger
import KnowledgeEditing
import WeightPatch

/// The probability of each fact's new target, per token, the geometric mean: without the patches, with them in the
/// weights, and with the adapter beside the weights.
struct FactCheck {
  let facts: [Manifest.Fact]
  let before: [Double]
  let applied: [Double]
  let exported: [Double]

  /// - Throws: an `ErrataError` if the checkpoint lacks a part, or if it computes what is not a number.
  init(
    _ facts: [Manifest.Fact], _ checkpoint: OpenedCheckpoint, _ patches: [PatchFile], _ adapter: LowRankAdapter
  ) throws {
    self.facts = facts
    let model = try checkpoint.model()
    let scorer = FactScorer(model)
    before = try scorer.probabilities(facts)
    let patched = try PatchedModel(checkpoint, with: patches)
    try patched.compute()
    applied = try scorer.probabilities(facts)
    _ = try patched.computeBase()
    adapter.attach(to: model.decoder)
    exported = try scorer.probabilities(facts)
  }
}
