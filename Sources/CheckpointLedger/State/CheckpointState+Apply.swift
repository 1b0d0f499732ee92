import Tensors
import WeightPatch

extension CheckpointState {
  /// Plans to apply patches. What is applied already is left out, but that its new signatures come into the ledger;
  /// what is named twice counts once.
  ///
  /// - Parameters:
  ///   - force: applies a patch to a base that it was not made for, and without its parents.
  ///   - time: the present, in ISO 8601, UTC, for the ledger.
  /// - Throws: an `ErrataError`: base mismatch, naming every tensor; or conflict, if parents are missing, or if
  ///   a weight would have a correction and another change besides.
  public func planApply(_ files: [PatchFile], force: Bool = false, time: String) throws -> StatePlan {
    var named: Set<Digest> = []
    let distinct = files.filter { named.insert($0.identifier).inserted }
    let present = Set(patches.map(\.identifier))
    let alreadyApplied = distinct.filter { present.contains($0.identifier) }
    let applied = distinct.filter { !present.contains($0.identifier) }.parentsFirst
    let signing = try withSignatures(of: alreadyApplied)
    let all = signing.patches + applied
    let newBatches = BatchSet(all)
    let orphans = applied.filter { !$0.parents(missingIn: newBatches).isEmpty }
    if let orphan = orphans.first, !force {
      throw ErrataError.parentsMissing(orphan.path, orphan.parents(missingIn: newBatches).map(\.patch))
    }
    try checkpoint.checkShapes(applied.map { ([$0.path], $0.manifest.base) })
    try checkCorrections(in: newBatches, concerning: applied.map { ($0, $0.displayName) })
    let bases = try baseDigests(of: newBatches.tensors)
    for file in applied { try checkpoint.checkTypes(file.path, file.manifest.base, bases: bases) }
    let misfits = applied.compactMap { BaseMisfit([$0.path], $0.manifest.base) { bases[$0]! } }
    guard misfits.isEmpty || force else {
      let misfits = try misfits.map { try $0.comparingTypes(with: checkpoint) }
      throw ErrataError.baseMismatch(misfits, checkpoint.path, remedy: .force(count: misfits.count))
    }
    // A patch knows the result of its own batches and its parents' on its base, of no other set.
    let witness = applied.first { file in
      let parents = file.manifest.parents.flatMap(\.batches)
      return misfits.isEmpty && file.manifest.result != nil && newBatches.digests == file.batchDigests.union(parents)
    }
    return StatePlan(
      state: self, applied: applied, alreadyApplied: alreadyApplied, signed: signing.signed, reverted: [], replaced: [],
      entries: ledger.patches + applied.map { Ledger.Entry(patch: $0.identifier, name: $0.displayName, applied: time) },
      patches: all, batches: newBatches, baseDigests: bases, fitsBase: misfits.isEmpty, withoutParents: orphans,
      expectedResult: witness.map { ($0.path, $0.manifest.result!) })
  }

  /// - Parameter new: the patches that come, with what the ledger will call them. What is there already may stay as it
  ///   is.
  func checkCorrections(in batches: BatchSet, concerning new: [(file: PatchFile, name: String)]) throws {
    let names = Dictionary(
      ledger.patches.map { ($0.patch, $0.name) } + new.map { ($0.file.identifier, $0.name) }
    ) { first, _ in first }
    try batches.checkCorrections(concerning: Set(new.map(\.file.identifier))) {
      "\($0.identifier.abbreviated) (\(names[$0.identifier] ?? $0.name))"
    }
  }
}

extension [PatchFile] {
  /// In the same order, but that each comes after those that it was computed on top of: the ledger's last is then one
  /// that can be taken back.
  fileprivate var parentsFirst: [PatchFile] {
    var waiting = self
    var result: [PatchFile] = []
    while !waiting.isEmpty {
      let next = waiting.firstIndex { file in
        !waiting.contains { $0.identifier != file.identifier && file.isComputed(on: $0) }
      }
      // Only forged patches are each other's parents; in any order they are as good.
      result.append(waiting.remove(at: next ?? 0))
    }
    return result
  }
}

extension PatchFile {
  /// Whether a batch of the other patch was in the weights when this one was computed.
  func isComputed(on other: PatchFile) -> Bool {
    !other.batchDigests.isDisjoint(with: manifest.parents.flatMap(\.batches))
  }

  func parents(missingIn batches: BatchSet) -> [Manifest.Parent] {
    manifest.parents.filter { !batches.digests.isSuperset(of: $0.batches) }
  }

  /// The file's name without what could move a terminal's cursor.
  fileprivate var displayName: String {
    String(String.UnicodeScalarView(name.unicodeScalars.filter { $0.properties.generalCategory != .control }))
  }
}
