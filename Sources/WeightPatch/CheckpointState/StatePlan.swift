import Tensors

/// A change of a checkpoint's state that was found to be possible: from one set of patches to another. `write` does it.
public struct StatePlan: Sendable {
  public let state: CheckpointState
  /// What the command named and will be applied, in order.
  public let applied: [PatchFile]
  /// What the command named and is applied already.
  public let alreadyApplied: [PatchFile]
  /// What will be taken back, in the order of the ledger.
  public let reverted: [PatchFile]
  /// What will give way to a patch made from it, in the order of the ledger.
  public let replaced: [Replacement]
  /// What is applied afterwards, in order.
  public let entries: [Ledger.Entry]

  /// The patches that are on the checkpoint afterwards.
  public let patches: [PatchFile]
  let batches: BatchSet
  /// Of every tensor that is or will be edited.
  let baseDigests: [ByteString: Digest]
  /// Whether every patch that is applied was made for this base; false only by force.
  public let fitsBase: Bool
  /// What the tensors must be afterwards, if a patch says so.
  let expectedResult: (source: String, digests: [ByteString: Digest])?

  /// Whether there is nothing to do.
  public var isEmpty: Bool { applied.isEmpty && reverted.isEmpty && replaced.isEmpty }

  /// The factors that the patches have for a tensor, with the digests of their batches, in the order of exact apply.
  ///
  /// - Throws: an `ErrataError` if a patch was damaged since it was opened.
  public func factors(of tensor: ByteString) throws -> [(digest: Digest, factors: LowRankFactors)] {
    try batches.factors(of: tensor).map { ($0.0, $0.1) }
  }

  /// The tensors whose bytes are computed anew, in order of name.
  public var changedTensors: [ByteString] { batches.tensorsThatDiffer(from: state.batches).sorted() }
}

// MARK: - Apply

extension CheckpointState {
  /// Plans to apply patches. What is applied already is left out.
  ///
  /// - Parameters:
  ///   - force: applies a patch to a base that it was not made for, and without its parents.
  ///   - time: the present, in ISO 8601, UTC, for the ledger.
  /// - Throws: an `ErrataError`: base mismatch, naming every tensor; or conflict, if parents are missing, or if
  ///   a weight would have a correction and another change besides.
  public func planApply(_ files: [PatchFile], force: Bool = false, time: String) throws -> StatePlan {
    var applied: [PatchFile] = []
    var alreadyApplied: [PatchFile] = []
    for file in files {
      let isKnown = (patches + applied).contains { $0.identifier == file.identifier }
      if isKnown { alreadyApplied.append(file) } else { applied.append(file) }
    }
    let all = patches + applied
    let newBatches = BatchSet(all)
    for file in applied { try checkParents(of: file, in: newBatches, force: force) }

    for file in applied { try checkTensors(of: file) }
    try checkCorrections(in: newBatches, concerning: applied.map { ($0, $0.displayName) })
    let bases = try baseDigests(of: newBatches.tensors)
    var fits = true
    for file in applied {
      let mismatches = file.manifest.base.tensors.sorted { $0.key < $1.key }.compactMap { name, tensor in
        tensor.digest == bases[name] ? nil : DigestMismatch(tensor: name, expected: tensor.digest, found: bases[name]!)
      }
      guard mismatches.isEmpty || force else { throw ErrataError.baseMismatch(file.path, checkpoint.path, mismatches) }
      fits = fits && mismatches.isEmpty
    }
    // A patch knows the result of its own batches and its parents' on its base, of no other set.
    let witness = applied.first { file in
      let parents = file.manifest.parents.flatMap(\.batches)
      return fits && file.manifest.result != nil && newBatches.digests == file.batchDigests.union(parents)
    }
    return StatePlan(
      state: self, applied: applied, alreadyApplied: alreadyApplied, reverted: [], replaced: [],
      entries: ledger.patches + applied.map { Ledger.Entry(patch: $0.identifier, name: $0.displayName, applied: time) },
      patches: all, batches: newBatches, baseDigests: bases, fitsBase: fits,
      expectedResult: witness.map { ($0.path, $0.manifest.result!) })
  }

  /// - Parameter new: the patches that come, with what the ledger will call them. What is there already may stay as it is.
  func checkCorrections(in batches: BatchSet, concerning new: [(file: PatchFile, name: String)]) throws {
    let names = Dictionary(
      ledger.patches.map { ($0.patch, $0.name) } + new.map { ($0.file.identifier, $0.name) }
    ) { first, _ in first }
    try batches.checkCorrections(concerning: Set(new.map(\.file.identifier))) {
      "\($0.identifier.abbreviated) (\(names[$0.identifier] ?? $0.name))"
    }
  }

  private func checkParents(of file: PatchFile, in batches: BatchSet, force: Bool) throws {
    let missing = file.manifest.parents.filter { !batches.digests.isSuperset(of: $0.batches) }
    guard missing.isEmpty || force else { throw ErrataError.parentsMissing(file.path, missing.map(\.patch)) }
  }

  /// That every edited tensor is there and has the right shape: no force makes up for that.
  private func checkTensors(of file: PatchFile) throws {
    for (name, described) in file.manifest.base.tensors.sorted(by: { $0.key < $1.key }) {
      guard checkpoint.contains(name) else {
        throw ErrataError.editedTensorMissing(file.path, checkpoint.path, name)
      }
      // The factors have the shape that the patch says.
      let tensor = try checkpoint.tensor(named: name)
      let change = try TensorChange([], name: name, dtype: tensor.dtype, shape: tensor.shape)
      try change.check(wanted: described.shape)
    }
  }
}

extension PatchFile {
  /// The file's name without what could move a terminal's cursor.
  fileprivate var displayName: String {
    String(String.UnicodeScalarView(name.unicodeScalars.filter { $0.properties.generalCategory != .control }))
  }
}
