import CheckpointLedger
import Tensors
import WeightPatch

extension CheckpointState {
  /// Plans to take single facts back: every patch that carries one of them gives way to one that was solved again
  /// without it, and a patch that has no others is taken back.
  ///
  /// The rest of the set stays as it is. For an edit of several layers the result is exact per layer given the
  /// residuals that were measured when the patch was made (`PatchFile.dropping`).
  ///
  /// - Parameters:
  ///   - facts: IDs, the first digits of IDs (four at least), or exact subjects.
  ///   - folder: on whose file system the new patches lie, without names, until the plan is written.
  ///   - origin: who makes the new patches, now.
  /// - Throws: an `ErrataError` if a fact is not on the checkpoint or could be several, if a batch cannot be solved
  ///   again, or (conflict) if a patch was computed on top of one that would change.
  public func planRevert(
    facts: [String], near folder: String?, children policy: ChildPolicy = .refuse, origin: PatchOrigin
  ) throws -> StatePlan {
    let applied = patches.flatMap { $0.manifest.batches.flatMap(\.facts) }
    let dropped = Set(try facts.map { try factIdentifier($0, among: applied, source: checkpoint.path) })
    var reverted: Set<Digest> = []
    var replacements: [Replacement] = []
    for (file, entry) in zip(patches, ledger.patches) {
      let own = Set(file.manifest.batches.flatMap(\.facts).map(\.identifier))
      let going = own.intersection(dropped).sorted()
      if going.isEmpty { continue }
      if going.count == own.count && file.manifest.batches.allSatisfy({ $0.terms == .facts }) {
        reverted.insert(file.identifier)
        continue
      }
      let name = "\(entry.name) without \(going.joined(separator: ", "))"
      let new = try file.dropping(going).file(near: folder, name: name, origin: origin)
      replacements.append(Replacement(file, by: new, name: name))
    }
    return try planRevert(reverted, replacing: replacements, children: policy, time: origin.created)
  }
}
