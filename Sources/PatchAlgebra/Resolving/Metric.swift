import Tensors
import WeightPatch

extension PatchFile {
  /// A batch that another one of the patch holds has to stay: the other was solved for what was lacking with it in
  /// place, and names it by its digest.
  ///
  /// - Throws: an `ErrataError` if there is such a batch.
  func checkIsNotHeld(_ index: Int) throws {
    let digest = patch.manifest.batches[index].digest
    let holder = patch.manifest.batches.firstIndex { batch in
      batch.metric?.held.contains { $0.batch == digest } ?? false
    }
    if let holder { throw ErrataError.batchIsHeld(path, index, by: holder) }
  }
}

extension Manifest.Batch {
  /// Whether G, or what stands beside it, says what the change does to ordinary text, if the ridge is known.
  func tellsOfText(_ factors: LowRankFactors) -> Bool {
    if factors.text != nil { return true }
    guard let metric else { return factors.gram != nil }
    return factors.gram != nil && metric.kind == .secondMoments && (metric.held.isEmpty || factors.heldProduct != nil)
  }
}
