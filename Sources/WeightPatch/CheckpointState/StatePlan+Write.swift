import Foundation
import Safetensors
import Tensors

extension StatePlan {
  /// Writes the checkpoint in its new state beside the old one, which is left as it is.
  ///
  /// Files without edited tensors are cloned or copied; in those with edited tensors every other byte stays. The output
  /// appears whole or not at all.
  ///
  /// - Parameter output: a directory that is not there or is empty; for a bare file, a file that is not there.
  /// - Throws: an `ErrataError` if the base that the undo records give is not the base, if the result is not what the
  ///   patch says, if a value overflows, or if the output cannot be written.
  @discardableResult
  public func write(to output: String, options: WriteOptions = WriteOptions()) throws -> StateReport {
    let checkpoint = state.checkpoint
    let stage = try OutputStage(
      destination: output, source: checkpoint.path, isDirectory: checkpoint.directory != nil)
    let tensors = try changedTensors.map { try checkpoint.tensor(named: $0) }
    let files = try checkpoint.files()
    let total = files.reduce(0) { $0 + $1.byteCount } + tensors.reduce(0) { $0 + $1.info.byteCount }
    var done = 0
    func advance(_ count: Int) throws {
      done += count
      try options.progress(done, total)
    }

    let editedNames = Set(tensors.map { fileName(of: $0.file.path) })
    for file in files {
      let isEdited = editedNames.contains(file.name)
      let destination = stage.path(of: file.name)
      try makeDirectory(URL(fileURLWithPath: destination).deletingLastPathComponent().path)
      try copyFile(from: file.path, to: destination, mode: isEdited ? .clone : options.copyMode, advance: advance)
    }
    try prepareLedger(at: stage.ledger)

    let writers = try Dictionary(
      uniqueKeysWithValues: editedNames.map { ($0, try FileRegionWriter(path: stage.path(of: $0))) })
    let reports = try tensors.map { tensor in
      let writer = writers[fileName(of: tensor.file.path)]!
      return try transform(tensor, ledger: stage.ledger) { bytes, offset in
        try writer.write(bytes, at: tensor.info.fileRange.lowerBound + offset)
        try advance(bytes.count)
      }
    }
    for writer in writers.values { try writer.synchronize() }
    let report = try finishLedger(at: stage.ledger, reports)
    try stage.commit()
    return report
  }

  /// Computes a tensor anew, and checks the result.
  private func transform(
    _ tensor: StoredTensor, ledger: LedgerLocation, write: (_ bytes: [UInt8], _ offset: Int) throws -> Void
  ) throws -> StateReport.TensorReport {
    let name = tensor.name
    let base = baseDigests[name]!
    let transition = try TensorTransition(
      tensor, from: state.batches.factors(of: name), to: batches.factors(of: name), base: base,
      location: state.location)
    let after = try transition.run(recordPath: ledger.undoRecord(of: name), write: write)
    if let expectedResult, let expected = expectedResult.digests[name], expected != after {
      throw ErrataError.resultDiffers(
        expectedResult.source, DigestMismatch(tensor: name, expected: expected, found: after))
    }
    return StateReport.TensorReport(
      name: name, byteCount: tensor.info.byteCount, base: base, before: state.ledger.tensors[name]?.current ?? base,
      after: after)
  }

  /// Makes the ledger's folders, with the patches, and with the undo records of the tensors that stay as they are.
  private func prepareLedger(at location: LedgerLocation) throws {
    guard !entries.isEmpty else { return }
    try makeDirectory(location.patches)
    try makeDirectory(location.undoRecords)
    for file in patches {
      try copyFile(from: file.path, to: location.patch(file.identifier), mode: .clone)
    }
    for name in batches.tensors.subtracting(changedTensors) {
      try copyFile(from: state.location.undoRecord(of: name), to: location.undoRecord(of: name), mode: .clone)
    }
  }

  /// Writes what the ledger now says; where no patch remains, there is none.
  private func finishLedger(
    at location: LedgerLocation, _ reports: [StateReport.TensorReport]
  ) throws -> StateReport {
    let edited = batches.tensors
    var tensors = state.ledger.tensors.filter { edited.contains($0.key) }
    for report in reports where edited.contains(report.name) {
      tensors[report.name] = Ledger.TensorState(base: report.base, current: report.after)
    }
    if !entries.isEmpty {
      let ledger = Ledger(patches: entries, tensors: tensors)
      try AtomicFile.write(ledger.serialized(), to: location.manifest)
      for folder in [location.patches, location.undoRecords] { try synchronizeDirectory(folder) }
    }
    return StateReport(
      tensors: reports, undoByteCount: try edited.reduce(0) { try $0 + fileSize(location.undoRecord(of: $1)) },
      editedByteCount: try edited.reduce(0) { try $0 + state.checkpoint.tensor(named: $1).info.byteCount })
  }

  private func makeDirectory(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  private func fileSize(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw ErrataError.file("read", path, errno) }
    return Int(status.st_size)
  }
}
