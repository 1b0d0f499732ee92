import Foundation
import Safetensors
import Tensors

extension StatePlan {
  /// Changes the checkpoint itself: the new bytes and the new ledger are written beside it and flushed, then put in
  /// place. A crash at any point leaves the old state or the new one, at the latest after the next run.
  ///
  /// - Precondition: the state was opened for writing.
  /// - Throws: as `write`; nothing is then changed, unless putting the new bytes in place fails, which the next run
  ///   makes up for.
  @discardableResult
  public func writeInPlace(progress: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }) throws
    -> StateReport
  {
    let report = try commitJournal(progress: progress)
    try InPlaceJournal.finish(state.checkpoint, state.location, isOwn: true)
    return report
  }

  /// The first half: everything is on disk, and nothing is changed. From here on there is no way back.
  func commitJournal(progress: @escaping (_ done: Int, _ total: Int) throws -> Void) throws -> StateReport {
    precondition(state.isForWriting, "the checkpoint is not locked")
    let tensors = try changedTensors.map { try state.checkpoint.tensor(named: $0) }
    for path in Set(tensors.map(\.file.path)) { try checkOwnFile(path) }
    let total = tensors.reduce(0) { $0 + $1.info.byteCount }
    var done = 0

    let next = state.location.next
    let stage = LedgerLocation(
      directory: try makeTemporaryDirectory(prefix: next.directory, like: parentDirectory(of: next.directory)))
    var isCommitted = false
    defer { if !isCommitted { try? FileManager.default.removeItem(atPath: stage.directory) } }
    try prepareLedger(at: stage)
    try makeDirectory(stage.journal)
    var journal = InPlaceJournal(writes: [], keepsLedger: !entries.isEmpty)
    var files: [Int: AtomicFile] = [:]
    // A tensor's bytes are on their way to the disk while the next one is computed.
    var unflushed: AtomicFile?
    let reports = try transform(tensors, ledger: stage) { index in
      files[index] = try AtomicFile(path: InPlaceJournal.bytes(of: index, in: stage.journal), startsWriting: true)
    } write: { index, piece in
      try files[index]!.write(piece.new)
      done += piece.new.count
      try progress(done, total)
    } close: { index, report in
      try unflushed?.commit()
      unflushed = files.removeValue(forKey: index)
      journal.writes.append(InPlaceJournal.Write(tensor: report.name, digest: report.after))
    }
    try unflushed?.commit()
    let report = try finishLedger(at: stage, reports)
    try AtomicFile.write(journal.serialized(), to: InPlaceJournal.manifest(in: stage.journal))
    try synchronizeDirectory(stage.directory)
    try renameItem(stage.directory, to: next.directory)
    isCommitted = true
    do {
      try synchronizeDirectory(parentDirectory(of: next.directory))
    } catch let error as ErrataError {
      throw ErrataError.changeGoesOn(error)
    }
    return report
  }
}
