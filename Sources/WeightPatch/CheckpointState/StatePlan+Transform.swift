import Foundation
import Safetensors
import Tensors

/// What writing beside the source and writing in place have in common.
extension StatePlan {
  /// Does everything but write: recovers and checks the base of every tensor that changes, computes it anew, and checks
  /// the result.
  ///
  /// - Parameter progress: is told how many bytes are done, of how many. May throw to stop.
  /// - Throws: an `ErrataError` if `write` would throw one for another reason than the place that it writes to.
  public func rehearse(progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }) throws {
    let tensors = try changedTensors.map { try state.checkpoint.tensor(named: $0) }
    let total = tensors.reduce(0) { $0 + $1.info.byteCount }
    var done = 0
    for tensor in tensors {
      _ = try transform(tensor, ledger: nil) { bytes, _ in
        done += bytes.count
        try progress(done, total)
      }
    }
  }

  /// The bytes that one of `changedTensors` will have, checked as `write` checks them. Nothing is written.
  ///
  /// - Throws: an `ErrataError` if the base is not what it should be, or if the result cannot be computed or is not what
  ///   it should be.
  public func result(of name: ByteString) throws -> [UInt8] {
    let tensor = try state.checkpoint.tensor(named: name)
    var result: [UInt8] = []
    result.reserveCapacity(tensor.info.byteCount)
    _ = try transform(tensor, ledger: nil) { bytes, _ in result += bytes }
    return result
  }

  /// Computes a tensor anew, and checks the result.
  ///
  /// - Parameter ledger: takes the undo record; none is made if this is nil.
  func transform(
    _ tensor: StoredTensor, ledger: LedgerLocation?, write: (_ bytes: [UInt8], _ offset: Int) throws -> Void
  ) throws -> StateReport.TensorReport {
    let name = tensor.name
    let base = baseDigests[name]!
    let old = try state.batches.factors(of: name)
    let new = try batches.factors(of: name, known: Dictionary(uniqueKeysWithValues: old))
    let transition = try TensorTransition(
      tensor, from: old.map(\.1), to: new.map(\.1), base: base, location: state.location)
    let after = try transition.run(recordPath: ledger?.undoRecord(of: name), write: write)
    if let expectedResult, let expected = expectedResult.digests[name], expected != after {
      throw ErrataError.resultDiffers(
        expectedResult.source, DigestMismatch(tensor: name, expected: expected, found: after))
    }
    return StateReport.TensorReport(
      name: name, byteCount: tensor.info.byteCount, base: base, before: state.ledger.tensors[name]?.current ?? base,
      after: after)
  }

  /// Makes the ledger's folders, with the patches, and with the undo records of the tensors that stay as they are.
  func prepareLedger(at location: LedgerLocation) throws {
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
  func finishLedger(
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
}
