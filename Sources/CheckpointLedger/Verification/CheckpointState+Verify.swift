import Foundation
import Safetensors
import Tensors
import WeightPatch

extension CheckpointState {
  /// Proves that the checkpoint is its base plus the patches of its ledger: that every edited tensor is what the ledger
  /// says, that its undo record leads to the base, and that exact apply leads from there to the tensor.
  ///
  /// - Parameters:
  ///   - base: where the pristine tensors are. Then all tensors are compared: the recorded bases by digest, and the
  ///     tensors that no patch edits byte by byte; and so are the files that decide what the model says.
  ///   - progress: is told after every step how many bytes are done, of how many. May throw to stop.
  /// - Returns: every tensor and file that is not what it should be; that is no error here.
  /// - Throws: an `ErrataError` only if files cannot be read.
  public func verify(
    against base: Checkpoint? = nil, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> VerificationReport {
    let checked = Set(ledger.tensors.keys).union(base.map { $0.tensorNames + checkpoint.tensorNames } ?? []).sorted()
    // A tensor counts as many times as it is read, and is read again where its base is recovered.
    let total = try checked.reduce(0) { try $0 + workload(of: $1, base) }
    var done = 0
    var edited: [VerificationReport.EditedTensor] = []
    var findings: [TensorFinding] = []
    for name in checked {
      var problems: [TensorFinding.Problem?] = []
      if let recorded = ledger.tensors[name] {
        let tensor = checkpoint.contains(name) ? try checkpoint.tensor(named: name) : nil
        let found = tensor?.digest()
        edited.append(VerificationReport.EditedTensor(name: name, recorded: recorded, found: found))
        problems.append(try editedProblem(tensor, recorded, found))
      }
      if let base { problems.append(try baseProblem(name, base)) }
      for case let problem? in problems where !findings.contains(TensorFinding(tensor: name, problem: problem)) {
        findings.append(TensorFinding(tensor: name, problem: problem))
      }
      done += try workload(of: name, base)
      try progress(done, total)
    }
    var report = VerificationReport(
      checkpoint: checkpoint.path, patches: ledger.patches, patchesForAnotherBase: patchesForAnotherBase,
      patchesWithoutParents: patchesWithoutParents, tensorCount: checkpoint.tensorNames.count,
      fileCount: try checkpoint.companionFiles().count, checked: checked, edited: edited, findings: findings)
    if let base { try report.compareFiles(of: checkpoint, with: base) }
    return report
  }

  private func workload(of name: ByteString, _ base: Checkpoint?) throws -> Int {
    guard checkpoint.contains(name) else { return 0 }
    let byteCount = try checkpoint.tensor(named: name).info.byteCount
    return byteCount * ((ledger.tensors[name] == nil ? 0 : 2) + (base == nil ? 0 : 1))
  }

  /// What is wrong with a tensor that the ledger names.
  ///
  /// - Parameters:
  ///   - tensor: nil if the checkpoint does not have it.
  ///   - found: its digest.
  private func editedProblem(_ tensor: StoredTensor?, _ recorded: Ledger.TensorState, _ found: Digest?) throws
    -> TensorFinding.Problem?
  {
    guard let tensor, let found else { return .missing }
    let name = tensor.name
    guard found == recorded.current else {
      return found == recorded.base ? .unpatched : .changed(expected: recorded.current, found: found)
    }
    // A link there is no finding: nothing of this checkpoint is to be believed.
    _ = try location.undoRecord(of: name).isFile()
    do {
      let factors = try batches.factors(of: name)
      let roundTrip = try TensorTransition(
        tensor, from: factors, to: factors, base: recorded.base, location: location)
      if let undo = roundTrip.undo, undo.currentDigest != found {
        throw ErrataError.damagedUndoRecord(undo.path, "it is not the record of \(name)")
      }
      var again: Digest?
      let pipeline = TransitionPipeline()
      defer { pipeline.wait() }
      let output = TransitionOutput(roundTrip) { _ in }
      try pipeline.run([TransitionPipeline.Lane(transition: roundTrip, output: output) { again = $0 }])
      try pipeline.drain()
      return again == found ? nil : .notBasePlusPatches(expected: again!, found: found)
    } catch let error as ErrataError {
      return .noWayBack(reason: error.message)
    }
  }

  /// How a tensor, or the base that the ledger records for it, differs from the base's.
  private func baseProblem(_ name: ByteString, _ base: Checkpoint) throws -> TensorFinding.Problem? {
    guard base.contains(name) else { return .notInBase }
    guard checkpoint.contains(name) else { return .missing }
    let (pristine, tensor) = (try base.tensor(named: name), try checkpoint.tensor(named: name))
    guard let recorded = ledger.tensors[name] else { return tensor.difference(from: pristine) }
    if tensor.dtype != pristine.dtype {
      return .retyped(expected: pristine.dtype, found: tensor.dtype, values: nil)
    }
    let found = pristine.digest()
    return found == recorded.base ? nil : .otherBase(expected: recorded.base, found: found)
  }
}

extension VerificationReport {
  mutating func compareFiles(of checkpoint: Checkpoint, with base: Checkpoint) throws {
    guard checkpoint.directory != nil, base.directory != nil else { return }
    let files = try FileFinding.all(in: checkpoint, base: base)
    (comparedFiles, fileFindings) = (files.compared, files.findings)
  }
}

extension StoredTensor {
  /// How a tensor that no patch edits differs from the base's; nil if it does not.
  func difference(from pristine: StoredTensor) -> TensorFinding.Problem? {
    guard dtype == pristine.dtype else {
      return .retyped(expected: pristine.dtype, found: dtype, values: pristine.retyping(to: self))
    }
    return isIdentical(to: pristine) ? nil : .differsFromBase
  }
}
