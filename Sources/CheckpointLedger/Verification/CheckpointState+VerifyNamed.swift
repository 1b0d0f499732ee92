import Safetensors
import Tensors
import WeightPatch

extension CheckpointState {
  /// Proves that the checkpoint is a base plus a set of patches, without a ledger: exact apply leads from the base's
  /// tensors to its own, and all other tensors and the files beside the weights are the base's.
  ///
  /// - Parameters:
  ///   - base: what the patches are applied to; its own ledger is not looked at.
  ///   - files: the patches.
  ///   - progress: is told after every tensor how many bytes are done, of how many. May throw to stop.
  /// - Returns: every tensor and file that is not what it should be; that is no error here.
  /// - Throws: an `ErrataError` if files cannot be read; base mismatch if the base does not have the tensors that the
  ///   patches edit; conflict if a weight would have a correction and another change besides.
  package func verify(
    against base: CheckpointState, plus files: [PatchFile],
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> VerificationReport {
    var known: Set<Digest> = []
    let files = files.filter { known.insert($0.identifier).inserted }
    let batches = BatchSet(files)
    let pristine = base.checkpoint
    try pristine.checkShapes(files.map { ([$0.path], $0.manifest.base) })
    try batches.checkCorrections(concerning: known) { "\($0.identifier.abbreviated) (\($0.name))" }
    let entries = files.map { Ledger.Entry(patch: $0.identifier, name: $0.name, applied: "") }
    let checked = Set(pristine.tensorNames + checkpoint.tensorNames).sorted()
    let total = try checked.filter(checkpoint.contains).reduce(0) { try $0 + byteCount(of: $1) }
    var done = 0
    var states: [ByteString: Ledger.TensorState] = [:]
    var edited: [VerificationReport.EditedTensor] = []
    var findings: [TensorFinding] = []
    for name in checked {
      func report(_ problem: TensorFinding.Problem) { findings.append(TensorFinding(tensor: name, problem: problem)) }
      let tensor = checkpoint.contains(name) ? try checkpoint.tensor(named: name) : nil
      if batches.tensors.contains(name) {
        let expected = try base.result(of: name, plus: batches)
        let found = tensor?.digest()
        states[name] = expected
        edited.append(VerificationReport.EditedTensor(name: name, recorded: expected, found: found))
        if found == nil {
          report(.missing)
        } else if found == expected.base, found != expected.current {
          report(.unpatched)
        } else if let found, found != expected.current {
          report(.notBasePlusPatches(expected: expected.current, found: found))
        }
      } else if !pristine.contains(name) {
        report(.notInBase)
      } else if let tensor {
        if let problem = try tensor.difference(from: pristine.tensor(named: name)) { report(problem) }
      } else {
        report(.missing)
      }
      done += tensor?.info.byteCount ?? 0
      try progress(done, total)
    }
    let misfits = files.filter { file in
      file.manifest.base.tensors.contains { states[$0.key]?.base != $0.value.digest }
    }
    let orphans = files.filter { !$0.parents(missingIn: batches).isEmpty }
    func named(_ files: [PatchFile]) -> [Ledger.Entry] {
      entries.filter { entry in files.contains { $0.identifier == entry.patch } }
    }
    var report = VerificationReport(
      checkpoint: checkpoint.path, patches: entries, areNamed: true, patchesForAnotherBase: named(misfits),
      patchesWithoutParents: named(orphans), tensorCount: checkpoint.tensorNames.count,
      fileCount: try checkpoint.companionFiles().count, checked: checked, edited: edited, findings: findings)
    try report.compareFiles(of: checkpoint, with: pristine)
    return report
  }

  private func byteCount(of name: ByteString) throws -> Int { try checkpoint.tensor(named: name).info.byteCount }

  /// The digest of a tensor as it stands, taken for a base, and that of what exact apply makes of it.
  private func result(of name: ByteString, plus batches: BatchSet) throws -> Ledger.TensorState {
    let tensor = try checkpoint.tensor(named: name)
    let base = tensor.digest()
    let transition = try TensorTransition(
      tensor, from: [], to: batches.factors(of: name), base: base, location: location)
    var result: Digest?
    let pipeline = TransitionPipeline()
    defer { pipeline.wait() }
    let output = TransitionOutput(transition) { _ in }
    try pipeline.run([TransitionPipeline.Lane(transition: transition, output: output) { result = $0 }])
    try pipeline.drain()
    return Ledger.TensorState(base: base, current: result!)
  }
}
