import Tensors
import WeightPatch

/// A patch on a checkpoint, and the one made from it that takes its place.
public struct Replacement: Sendable {
  public let old: PatchFile
  public let new: PatchFile
  /// What the ledger will call the new one.
  public let name: String

  public init(_ old: PatchFile, by new: PatchFile, name: String) {
    self.old = old
    self.new = new
    self.name = name
  }
}

extension CheckpointState {
  /// What happens to patches that were computed on top of those that are taken back.
  public enum ChildPolicy: Sendable {
    /// The plan is refused.
    case refuse
    /// They are taken back too.
    case cascade
    /// They stay.
    case keep
  }

  /// Plans to take patches back, and to put others in the place of some.
  ///
  /// - Parameters:
  ///   - identifiers: IDs of applied patches, to be taken back.
  ///   - replacements: of other applied patches.
  ///   - time: the present, in ISO 8601, UTC, for the ledger's entries of what is new.
  /// - Throws: an `ErrataError` (conflict) that names the children under which a parent would go, or a
  ///   weight that would have a correction and another change besides.
  public func planRevert(
    _ identifiers: Set<Digest>, replacing replacements: [Replacement] = [], children policy: ChildPolicy = .refuse,
    time: String = ""
  ) throws -> StatePlan {
    var reverted = identifiers
    let replacements = Dictionary(uniqueKeysWithValues: replacements.map { ($0.old.identifier, $0) })
    func remaining() -> [(old: Digest, file: PatchFile)] {
      patches.filter { !reverted.contains($0.identifier) }.map {
        ($0.identifier, replacements[$0.identifier]?.new ?? $0)
      }
    }
    while policy != .keep {
      let children = orphans(among: remaining())
      if children.isEmpty { break }
      guard policy == .cascade else {
        let parents = patches.map(\.identifier).filter { reverted.contains($0) || replacements[$0] != nil }
        throw ErrataError.childrenStand(parents.map(entry), children: children.map(entry))
      }
      reverted.formUnion(children)
    }
    // What takes a patch's place may be there already: made from another copy, or by hand.
    var known: Set<Digest> = []
    let kept = remaining().filter { known.insert($0.file.identifier).inserted }
    let newBatches = BatchSet(kept.map(\.file))
    try checkCorrections(
      in: newBatches, concerning: kept.compactMap { replacements[$0.old].map { ($0.new, $0.name) } })
    return StatePlan(
      state: self, applied: [], alreadyApplied: [], reverted: patches.filter { reverted.contains($0.identifier) },
      replaced: kept.compactMap { replacements[$0.old] },
      entries: kept.map { old, file in
        replacements[old].map { Ledger.Entry(patch: file.identifier, name: $0.name, applied: time) } ?? entry(old)
      }, patches: kept.map(\.file), batches: newBatches, baseDigests: try baseDigests(of: []),
      fitsBase: true, withoutParents: [], expectedResult: nil)
  }

  /// Those of the patches whose parents' batches are on the checkpoint now, and not among these patches.
  private func orphans(among remaining: [(old: Digest, file: PatchFile)]) -> [Digest] {
    let kept = BatchSet(remaining.map(\.file)).digests
    return remaining.filter { _, file in
      file.manifest.parents.contains { parent in
        batches.digests.isSuperset(of: parent.batches) && !kept.isSuperset(of: parent.batches)
      }
    }.map(\.old)
  }

  private func entry(_ patch: Digest) -> Ledger.Entry { ledger.patches.first { $0.patch == patch }! }
}
