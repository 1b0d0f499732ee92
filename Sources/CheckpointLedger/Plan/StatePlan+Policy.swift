import Tensors
import WeightPatch

extension StatePlan {
  /// Refuses what only force could apply: whoever signed a patch did so for the base and the parents that it names.
  ///
  /// - Throws: an `ErrataError` (verification) that names the first such patch.
  package func checkNothingIsForced(under policy: TrustPolicy) throws {
    let forced = applied.first { file in
      file.manifest.base.tensors.contains { baseDigests[$0.key] != $0.value.digest }
        || withoutParents.contains { $0.identifier == file.identifier }
    }
    if let forced { throw ErrataError.forcedUnderPolicy(forced.path, policy, state.checkpoint.path) }
  }
}
