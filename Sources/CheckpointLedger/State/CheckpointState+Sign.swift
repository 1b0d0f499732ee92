import Tensors
import WeightPatch

extension CheckpointState {
  /// Plans to give patches of the ledger other signatures. Neither weights nor undo records change.
  ///
  /// - Parameter files: patches of the ledger, with the signatures that they are to have.
  /// - Throws: an `ErrataError` (base mismatch) if a tensor is not what the ledger says: what the ledger carries is
  ///   then not what is in the weights.
  package func planSigning(_ files: [PatchFile]) throws -> StatePlan {
    let signing = replacing(files)
    return StatePlan(
      state: self, applied: [], alreadyApplied: [], signed: signing.signed, reverted: [], replaced: [],
      entries: ledger.patches, patches: signing.patches, batches: BatchSet(signing.patches),
      baseDigests: try baseDigests(of: []), fitsBase: true, withoutParents: [], expectedResult: nil)
  }

  /// The patches of the ledger, those of which there are copies with the copies' signatures besides their own.
  ///
  /// - Returns: all patches, and those of them that have more signatures than in the ledger.
  /// - Throws: an `ErrataError` if one would have more signatures than a patch can have.
  func withSignatures(of copies: [PatchFile]) throws -> (patches: [PatchFile], signed: [PatchFile]) {
    replacing(
      try copies.compactMap { copy in
        guard let file = patches.first(where: { $0.identifier == copy.identifier }) else { return nil }
        var signing = PatchSigning(file)
        try signing.add(of: copy)
        return signing.file
      })
  }

  private func replacing(_ files: [PatchFile]) -> (patches: [PatchFile], signed: [PatchFile]) {
    let patches = patches.map { file in files.first { $0.identifier == file.identifier } ?? file }
    return (patches, patches.filter(\.hasOtherSignatures))
  }
}
