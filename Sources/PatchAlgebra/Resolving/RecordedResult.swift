import CheckpointLedger
import Tensors
import WeightPatch

extension Manifest {
  /// Records the digests of what exact apply makes of the base.
  ///
  /// - Parameters:
  ///   - batches: those that the manifest describes.
  ///   - base: the patch's.
  ///   - sources: the paths of the patches that it was made from, for messages.
  /// - Throws: an `ErrataError` if the checkpoint is not the patch's base, naming every tensor that differs, or if the
  ///   patch stands on others.
  mutating func recordResult(of batches: [EditBatch], onBase base: LockedCheckpoint, sources: [String]) throws {
    let checkpoint = base.checkpoint
    guard parents.isEmpty else { throw ErrataError.resultNeedsParents(sources) }
    try checkpoint.checkShapes([(sources, self.base)])
    let misfit = try BaseMisfit(sources, self.base) { try checkpoint.digest(of: $0) }
    if let misfit = try misfit?.comparingTypes(with: checkpoint) {
      throw ErrataError.baseMismatch([misfit], checkpoint.path, remedy: .recordNoResult)
    }
    let set = BatchSet(batches)
    do {
      result = try Dictionary(
        uniqueKeysWithValues: self.base.tensors.keys.sorted().map { name in
          (name, try set.digest(of: checkpoint.tensor(named: name)))
        })
    } catch let error as ErrataError {
      throw ErrataError.exactApply(error, of: sources, to: checkpoint.path)
    }
  }
}
