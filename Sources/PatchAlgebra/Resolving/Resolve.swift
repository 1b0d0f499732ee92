import Tensors
import WeightPatch

extension PatchFile {
  /// The patch with its batches solved again at another slack. Each is solved for the residuals that it was solved for
  /// before: later layers and later batches do not learn of what the earlier ones now leave undone.
  ///
  /// - Parameter batch: which batch; nil for all.
  /// - Throws: an `ErrataError` if there is no such batch, or if it cannot be solved again.
  public func resolved(_ slack: Slack, batch: Int? = nil) throws -> DerivedPatch {
    let chosen = try batchIndices(batch)
    let batches = try patch.batches.indices.map { index in
      chosen.contains(index)
        ? try solvedAgain(batch: index, slack: slack) : (patch.batches[index], patch.manifest.batches[index])
    }
    let place = batch.map { "batch \($0) " } ?? ""
    return DerivedPatch(from: self, batches: batches, change: "\(place)solved again: \(slack)")
  }

  /// One batch, or all.
  func batchIndices(_ batch: Int?) throws -> Range<Int> {
    guard let batch else { return patch.batches.indices }
    guard patch.batches.indices.contains(batch) else {
      throw ErrataError.noSuchBatch(path, batch, count: patch.batches.count)
    }
    return batch..<batch + 1
  }
}
