import Tensors
import WeightPatch

/// The applied patches that are on something else than what they were made for, as the ledger says; no tensor is read.
/// A signature speaks for a patch on what it was made for.
extension CheckpointState {
  /// Those that were made for another base.
  package var patchesForAnotherBase: [Ledger.Entry] {
    zip(ledger.patches, patches).filter { _, file in
      file.manifest.base.tensors.contains { ledger.tensors[$0.key]?.base != $0.value.digest }
    }.map(\.0)
  }

  /// Those that were computed on top of patches which are not here.
  package var patchesWithoutParents: [Ledger.Entry] {
    zip(ledger.patches, patches).filter { !$1.parents(missingIn: batches).isEmpty }.map(\.0)
  }
}
