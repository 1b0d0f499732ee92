import Tensors
import WeightPatch

/// An edit batch, and where it comes from.
struct TracedBatch {
  let batch: EditBatch
  let description: Manifest.Batch
  /// The patch ID.
  let patch: Digest
  /// The name of the file that the patch came in.
  let patchName: String
  /// The position in the patch.
  let index: Int

  /// Every batch that is on the checkpoint after `plan`. One that two patches carry counts once, as it does there.
  static func all(in plan: StatePlan) -> [TracedBatch] {
    var known: Set<Digest> = []
    return zip(plan.state.patches + plan.applied, plan.entries).flatMap { file, entry in
      zip(file.patch.batches, file.manifest.batches).enumerated().compactMap { index, batch in
        guard known.insert(batch.1.digest).inserted else { return nil }
        return TracedBatch(
          batch: batch.0, description: batch.1, patch: entry.patch, patchName: entry.name, index: index)
      }
    }
  }

  /// For people: `10 facts`.
  var extent: String {
    let noun = description.terms == .facts ? "fact" : "component"
    return "\(batch.factCount) \(noun)\(batch.factCount == 1 ? "" : "s")"
  }

  var json: JSON {
    [
      "patch": JSON(patch.description), "patch_name": JSON(patchName), "batch": .integer(index),
      "digest": JSON(description.digest.description), "terms": JSON(description.terms.rawValue),
    ]
  }
}
