import Foundation
import Safetensors
import Tensors

extension StatePlan {
  /// Changes the checkpoint itself: the edited bytes alone are written, each of them once. What leads back from them is on disk
  /// before. A crash at any point leaves the old state or the new one, at the latest after the next run. Files that have
  /// other names, or are symbolic links, are given copies of their own first: whoever has them there sees no change.
  ///
  /// - Precondition: the state was opened for writing.
  /// - Throws: as `write`; nothing is then changed, unless taking back what was changed fails too, which the next run makes
  ///   up for.
  @discardableResult
  public func writeInPlace(
    progress: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> StateReport {
    precondition(state.isForWriting, "the checkpoint is not locked")
    var checkpoint = state.checkpoint
    func tensors() throws -> [StoredTensor] { try changedTensors.map { try checkpoint.tensor(named: $0) } }
    let files = try OwnFiles(of: tensors())
    let total = try files.byteCount + tensors().reduce(0) { $0 + $1.info.byteCount }
    var done = 0
    func advance(_ count: Int) throws {
      done += count
      try progress(done, total)
    }
    try files.make(for: &checkpoint, state.location, state.lock, advance: advance)
    let change = try beginChange()
    var report: StateReport
    do {
      try synchronizeDirectory(parentDirectory(of: change.directory))
      report = try rewrite(tensors(), in: change, advance)
      try renameItem(change.directory, to: state.location.next.directory)
    } catch {
      do {
        try InPlaceJournal.takeBack(checkpoint, state.location)
      } catch let obstacle as ErrataError {
        throw ErrataError.changeRemains(obstacle, after: error)
      }
      throw error
    }
    report.copiedFiles = files.shared
    try InPlaceJournal.finish(state.location)
    return report
  }

  /// Makes the next ledger, as far as it is known, and a journal that holds nothing yet.
  func beginChange() throws -> LedgerLocation {
    let (next, change) = (state.location.next, state.location.change)
    let stage = LedgerLocation(
      directory: try makeTemporaryDirectory(prefix: next.directory, like: parentDirectory(of: next.directory)))
    var hasBegun = false
    defer { if !hasBegun { try? FileManager.default.removeItem(atPath: stage.directory) } }
    try prepareLedger(at: stage)
    try makeDirectory(stage.journal)
    let changes = changedTensors.map {
      InPlaceJournal.Change(tensor: $0, base: baseDigests[$0]!, before: digestBefore($0))
    }
    for index in changes.indices { try makeFile(InPlaceJournal.chunks(of: index, in: stage.journal)) }
    let journal = InPlaceJournal(changes: changes, patches: patches.map(\.identifier))
    try AtomicFile.write(journal.serialized(), to: InPlaceJournal.manifest(in: stage.journal))
    if !entries.isEmpty {
      for folder in [stage.patches, stage.undoRecords] { try synchronizeDirectory(folder) }
    }
    try synchronizeDirectory(stage.directory)
    try renameItem(stage.directory, to: change.directory)
    hasBegun = true
    return change
  }

  /// Writes every new byte and the rest of the next ledger; all is on disk when this returns.
  func rewrite(
    _ tensors: [StoredTensor], in change: LedgerLocation, _ advance: @escaping (Int) throws -> Void
  ) throws -> StateReport {
    let files = try Dictionary(
      uniqueKeysWithValues: Set(tensors.map(\.file.path)).sorted().map { ($0, try FileRegionWriter(path: $0)) })
    var writers: [Int: InPlaceWriter] = [:]
    let reports = try transform(tensors, ledger: change) { index in
      writers[index] = try InPlaceWriter(
        tensors[index], file: files[tensors[index].file.path]!,
        journal: InPlaceJournal.chunks(of: index, in: change.journal))
    } write: { index, piece in
      try writers[index]!.write(piece)
      try advance(piece.new.count)
    } close: { index, _ in
      try writers.removeValue(forKey: index)!.flush()
    }
    for file in files.values { try file.synchronize() }
    return try finishLedger(at: change, reports)
  }
}
