import Foundation
import Safetensors
import Tensors
import WeightPatch

extension StatePlan {
  /// Changes the checkpoint itself: the edited bytes alone are written, each of them once. What leads back from them is
  /// on disk before. A crash at any point leaves the old state or the new one, at the latest after the next run. Files
  /// that have other names, or are symbolic links, are given copies of their own first: whoever has them there sees no
  /// change.
  ///
  /// - Precondition: the state was opened for writing.
  /// - Throws: as `write`; nothing is then changed, unless taking back what was changed fails too, which the next run
  ///   makes up for.
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
      try change.directory.synchronizeParent()
      report = try rewrite(tensors(), in: change, advance)
      try change.directory.rename(to: state.location.next.directory)
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
    let stage = LedgerLocation(directory: try next.directory.makeTemporaryDirectory(mode: ledgerMode()))
    var hasBegun = false
    defer { if !hasBegun { try? OwnContent.remove([stage.directory]) } }
    try prepareLedger(at: stage)
    try stage.journal.makeDirectory()
    let changes = changedTensors.map {
      InPlaceJournal.Change(tensor: $0, base: baseDigests[$0]!, before: digestBefore($0))
    }
    try InPlaceJournal.chunks(in: stage.journal).write([])
    let journal = InPlaceJournal(changes: changes, patches: patches.map(\.identifier))
    try InPlaceJournal.manifest(in: stage.journal).write(journal.serialized())
    try stage.directory.synchronizeDirectory()
    try stage.directory.rename(to: change.directory)
    hasBegun = true
    return change
  }

  /// Writes every new byte and the rest of the next ledger; all is on disk when this returns.
  func rewrite(
    _ tensors: [StoredTensor], in change: LedgerLocation, _ advance: @escaping (Int) throws -> Void
  ) throws -> StateReport {
    let identities = Dictionary(tensors.map { ($0.file.path, $0.file.identity) }) { first, _ in first }
    let files = try Dictionary(
      uniqueKeysWithValues: identities.sorted { $0.key < $1.key }.map { path, identity in
        (path, try FileRegionWriter(state.location.weightFile(path), identity: identity))
      })
    let writer = try InPlaceWriter(tensors, files: files, journal: InPlaceJournal.chunks(in: change.journal))
    let reports = try transform(tensors, ledger: change) { index, piece in
      try writer.write(piece, of: index)
      try advance(piece.new.count)
    }
    try writer.flush()
    for file in files.values { try file.synchronize() }
    return try finishLedger(at: change, reports)
  }

  /// A ledger is as accessible as the directory that it is in.
  private func ledgerMode() throws -> mode_t {
    var status = stat()
    guard fstat(state.location.directory.anchor.descriptor, &status) == 0 else {
      throw ErrataError.system("read", state.location.folder, errno)
    }
    return status.st_mode
  }
}
