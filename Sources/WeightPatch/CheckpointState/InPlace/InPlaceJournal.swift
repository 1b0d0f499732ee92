import Foundation
import Safetensors
import Tensors

/// What leads back from a change in place that has begun and is not complete (Spec: changes in place).
///
/// The journal lies in the next ledger's directory, whose name says how far the change is: under a name of its own nothing has
/// happened yet; as `LEDGER.change`, bytes of the checkpoint may have changed, and what has is taken back; as `LEDGER.next`
/// all are changed, and the ledger takes its place.
struct InPlaceJournal {
  static let formatVersion = 2

  /// A tensor that changes. The chunks of which bytes may have changed are in the file of its number.
  struct Change {
    let tensor: ByteString
    /// Its digest without any patch.
    let base: Digest
    /// Its digest before the change.
    let before: Digest
  }

  let changes: [Change]
  /// The patches of the next ledger.
  let patches: [Digest]

  static func manifest(in directory: String) -> String { directory + "/journal.json" }
  /// The records of a tensor's chunks.
  static func chunks(of index: Int, in directory: String) -> String { "\(directory)/\(index).chunks" }
  /// What a chunk held before, if that can no longer be found from what it holds.
  static func chunk(_ chunk: Int, of index: Int, in directory: String) -> String {
    "\(directory)/\(index).\(chunk).before"
  }
}

// MARK: - The file

extension InPlaceJournal {
  func serialized() -> [UInt8] {
    let json: JSON = [
      "version": .integer(Self.formatVersion), "patches": .array(patches.map { JSON($0.description) }),
      "changes": .array(
        changes.map {
          [
            "tensor": .string($0.tensor), "base": JSON($0.base.description), "before": JSON($0.before.description),
          ]
        }),
    ]
    return Array(json.prettyPrinted().utf8)
  }

  /// - Throws: an `ErrataError` (damaged input).
  init(path: String) throws {
    let json = try JSON.parse(contentsOf: path, maximumValueCount: Ledger.largestValueCount)
    guard json["version"]?.integerValue == Self.formatVersion, let patches = json["patches"]?.arrayValue,
      let changes = json["changes"]?.arrayValue
    else { throw ErrataError.damagedJournal(path) }
    func digest(_ json: JSON?) throws -> Digest {
      guard let digest = json?.stringValue.flatMap(Digest.init(hexadecimal:)) else {
        throw ErrataError.damagedJournal(path)
      }
      return digest
    }
    self.patches = try patches.map(digest)
    self.changes = try changes.map { change in
      guard let tensor = change["tensor"]?.bytesValue else { throw ErrataError.damagedJournal(path) }
      return Change(tensor: tensor, base: try digest(change["base"]), before: try digest(change["before"]))
    }
  }
}

// MARK: - The ways of a change

extension InPlaceJournal {
  /// Whether a change was begun and is not complete.
  static func isPending(_ location: LedgerLocation) -> Bool {
    exists(location.change.directory) || exists(location.next.directory)
  }

  /// Takes back a change that is not complete, or puts the ledger of one that is in place.
  ///
  /// - Parameters:
  ///   - checkpoint: is opened again if files of it are shared: they are given copies of their own.
  ///   - lock: an exclusive one.
  /// - Throws: an `ErrataError`; if the disk is to blame, it says that the next run goes on.
  static func repair(
    _ checkpoint: inout Checkpoint, _ location: LedgerLocation, _ lock: CheckpointLock
  ) throws -> LockedCheckpoint.Repair? {
    if exists(location.change.directory) {
      // Copies could have been made of a checkpoint that was half changed, by links.
      let tensors = try InPlaceJournal(path: manifest(in: location.change.journal)).tensors(of: checkpoint, location)
      try OwnFiles(of: tensors).make(for: &checkpoint, location, lock)
      try takeBack(checkpoint, location)
      return .takenBack
    }
    guard exists(location.next.directory) else { return nil }
    try finish(location)
    return .completed
  }

  /// Takes back a change, so that the checkpoint is what it was before.
  static func takeBack(_ checkpoint: Checkpoint, _ location: LedgerLocation) throws {
    do {
      try restore(checkpoint, location)
      let debris = location.next.directory + ".undone"
      try removeItem(debris)
      try renameItem(location.change.directory, to: debris)
      try synchronizeDirectory(parentDirectory(of: location.directory))
    } catch let error as ErrataError where error.category == .general {
      throw ErrataError.changeRemains(error)
    }
    try? clearDebris(location)
  }

  /// Puts the ledger of a change that is complete in place.
  static func finish(_ location: LedgerLocation) throws {
    let next = location.next
    // A journal of the first version would have bytes that are not in place yet.
    if exists(manifest(in: next.journal)) { _ = try InPlaceJournal(path: manifest(in: next.journal)) }
    do {
      try removeItem(location.previous)
      if exists(location.directory) { try renameItem(location.directory, to: location.previous) }
      // Where no patch remains, no ledger does: it is debris, which the next run clears.
      try renameItem(next.directory, to: exists(next.manifest) ? location.directory : next.directory + ".done")
      try synchronizeDirectory(parentDirectory(of: location.directory))
    } catch let error as ErrataError where error.category == .general {
      throw isPending(location) ? ErrataError.changeGoesOn(error) : ErrataError.changeNotFlushed(error)
    }
    // What is not cleared away now is when the next change begins.
    try? clearDebris(location)
  }

  /// Removes what an interrupted run left: a change that never began, or one that is done.
  static func clearDebris(_ location: LedgerLocation) throws {
    try removeItem(location.previous)
    try removeItem(location.journal)
    let parent = parentDirectory(of: location.directory)
    let prefix = fileName(of: location.next.directory) + "."
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
      try removeItem("\(parent)/\(name)")
    }
  }
}

private func exists(_ path: String) -> Bool {
  var status = stat()
  return lstat(path, &status) == 0
}

private func removeItem(_ path: String) throws {
  guard exists(path) else { return }
  do {
    try FileManager.default.removeItem(atPath: path)
  } catch {
    throw ErrataError.file("remove", path, error.systemCode)
  }
}
