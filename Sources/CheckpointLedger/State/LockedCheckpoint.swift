import Foundation
import Safetensors
import Tensors
import WeightPatch

/// A checkpoint that nobody else changes in place as long as this value lives, and that is whole: a change that an
/// earlier run was interrupted in was taken back, or completed, first (Spec: changes in place).
public struct LockedCheckpoint: Sendable {
  public let checkpoint: Checkpoint
  /// What became of a change in place that an earlier run was interrupted in; nil if there was none.
  public let repair: Repair?
  let isForWriting: Bool
  let location: LedgerLocation
  let lock: CheckpointLock

  public enum Repair: Sendable {
    case takenBack
    case completed
  }

  /// Opens the checkpoint; neither tensors nor the ledger are read.
  ///
  /// - Parameters:
  ///   - path: of the checkpoint, or a model's name in the download cache, which is only read.
  ///   - forWriting: nobody else reads it either.
  ///   - notice: is told if something was repaired, in one line for people.
  /// - Throws: an `ErrataError` if the checkpoint is damaged, if it is being changed, if an unfinished change cannot be
  ///   repaired, or if the path names a part of a checkpoint that has a ledger.
  public init(path name: String, forWriting: Bool = false, notice: (String) -> Void = { _ in }) throws {
    let path = HubCache.path(ofCheckpoint: name)
    if forWriting, path != name { throw ErrataError.cacheIsOnlyRead(name, path) }
    isForWriting = forWriting
    do {
      // Before anything is opened: a writer may put other files in the place of these.
      lock = try CheckpointLock(path: path, isExclusive: forWriting)
    } catch let error as ErrataError where error.kind == .general {
      // Says better what is missing.
      _ = try Checkpoint(path: path)
      throw error
    }
    var checkpoint = try Checkpoint(path: path)
    location = try LedgerLocation(checkpoint: path, isDirectory: checkpoint.directory != nil)
    try location.check()
    try checkpoint.checkLedgers(forWriting: forWriting)
    if try InPlaceJournal.isPending(location) {
      try lock.acquire(isExclusive: true)
      // Another process may have repaired it before this one had the lock.
      repair = try InPlaceJournal.repair(&checkpoint, location, lock)
    } else {
      repair = nil
    }
    self.checkpoint = checkpoint
    if forWriting { try InPlaceJournal.clearDebris(location) } else { try lock.acquire(isExclusive: false) }
    if let repair {
      let verb = repair == .takenBack ? "took back" : "completed"
      notice("note: \(path): \(verb) a change that an earlier run was interrupted in")
    }
  }
}

extension Checkpoint {
  /// That what is opened has one ledger. A directory's weight files are a part of it; a file of them that has a ledger
  /// of its own is a checkpoint for itself.
  ///
  /// - Throws: an `ErrataError` (usage) that says what to name instead.
  fileprivate func checkLedgers(forWriting: Bool) throws {
    guard directory == nil else {
      for shard in shards where try LedgerLocation(checkpoint: shard.path, isDirectory: false).isInUse() {
        throw ErrataError.partHasLedger(path, shard.path)
      }
      return
    }
    // As it was named, for the message.
    let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    guard try !LedgerLocation(checkpoint: path, isDirectory: false).isInUse(),
      try forWriting || LedgerLocation(checkpoint: parent, isDirectory: true).isInUse(),
      let whole = try? Checkpoint(path: parent),
      whole.shards.contains(where: { fileName(of: $0.path) == fileName(of: path) })
    else { return }
    throw ErrataError.partOfCheckpoint(path, parent)
  }
}
