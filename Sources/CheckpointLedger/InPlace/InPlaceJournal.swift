import Safetensors
import Tensors
import WeightPatch

/// What leads back from a change in place that has begun and is not complete (Spec: changes in place).
///
/// The journal lies in the next ledger's directory, whose name says how far the change is: under a name of its own
/// nothing has happened yet; as `LEDGER.change`, bytes of the checkpoint may have changed, and what has is taken back;
/// as `LEDGER.next` all are changed, and the ledger takes its place.
struct InPlaceJournal {
  static let formatVersion = 3

  /// A tensor that changes.
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

  static func manifest(in directory: AnchoredPath) -> AnchoredPath { directory.appending("journal.json") }
  /// The records of the chunks of which bytes may have changed.
  static func chunks(in directory: AnchoredPath) -> AnchoredPath { directory.appending("chunks") }
  /// What a chunk held before, if that can no longer be found from what it holds.
  static func chunk(_ chunk: Int, of index: Int, in directory: AnchoredPath) -> AnchoredPath {
    directory.appending("\(index).\(chunk).before")
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
  init(_ file: MappedFile) throws {
    let path = file.path
    guard file.bytes.count <= Ledger.largestFile else { throw ErrataError.damagedJournal(path) }
    let json = try JSON.parse(file, maximumValueCount: Ledger.largestValueCount)
    if let version = json["version"]?.integerValue, version > Self.formatVersion {
      throw ErrataError.journalVersion(path, version)
    }
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
  static func isPending(_ location: LedgerLocation) throws -> Bool {
    try location.change.directory.isDirectory() || location.next.directory.isDirectory()
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
    if try location.change.directory.isDirectory() {
      // Copies could have been made of a checkpoint that was half changed, by links.
      let journal = try InPlaceJournal(manifest(in: location.change.journal).map())
      let tensors = try journal.tensors(of: checkpoint, location)
      try OwnFiles(of: tensors).make(for: &checkpoint, location, lock)
      try takeBack(checkpoint, location)
      return .takenBack
    }
    guard try location.next.directory.isDirectory() else { return nil }
    try finish(location)
    return .completed
  }

  /// Takes back a change, so that the checkpoint is what it was before.
  static func takeBack(_ checkpoint: Checkpoint, _ location: LedgerLocation) throws {
    do {
      try restore(checkpoint, location)
      let debris = location.next.directory.withSuffix(".undone")
      try OwnContent.remove([debris])
      try location.change.directory.rename(to: debris)
      try location.directory.synchronizeParent()
    } catch let error as ErrataError where error.kind == .general {
      throw ErrataError.changeRemains(error)
    }
    try? clearDebris(location)
  }

  /// Puts the ledger of a change that is complete in place.
  static func finish(_ location: LedgerLocation) throws {
    let next = location.next
    // A journal of the first version would have bytes that are not in place yet.
    if try manifest(in: next.journal).isFile() { _ = try InPlaceJournal(manifest(in: next.journal).map()) }
    do {
      try OwnContent.remove([location.previous.directory])
      if try location.directory.isDirectory() { try location.directory.rename(to: location.previous.directory) }
      // Where no patch remains, no ledger does: it is debris, which the next run clears.
      let hasLedger = try next.manifest.isFile()
      try next.directory.rename(to: hasLedger ? location.directory : next.directory.withSuffix(".done"))
      try location.directory.synchronizeParent()
    } catch let error as ErrataError where error.kind == .general {
      throw try isPending(location) ? ErrataError.changeGoesOn(error) : ErrataError.changeNotFlushed(error)
    }
    // What is not cleared away now is when the next change begins.
    try? clearDebris(location)
  }

  /// Removes what an interrupted run left: a change that never began, or one that is done.
  ///
  /// - Throws: an `ErrataError` (damaged input) for what has such a name and is not Errata's; nothing is then removed.
  static func clearDebris(_ location: LedgerLocation) throws {
    let next = location.next.directory
    let stages = try next.anchor.entries().filter { $0.hasPrefix(next.name + ".") }.map { name in
      next.withSuffix(String(name.dropFirst(next.name.count)))
    }
    try OwnContent.remove(
      [location.previous.directory] + stages, journals: location.directory.isDirectory() ? [location.journal] : [])
  }
}
