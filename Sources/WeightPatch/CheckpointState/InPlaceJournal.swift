import Foundation
import Safetensors
import Tensors

/// Bytes that shall replace bytes of a checkpoint's files, on disk before the first of them is touched
/// (Spec: changes in place).
///
/// The journal lies in the next ledger's directory. That directory's name is the commit: before it has the name, nothing
/// happened; once it has, everything will, now or in the next run.
struct InPlaceJournal {
  static let formatVersion = 1

  struct Write {
    /// The name of a weight file of the checkpoint.
    let file: String
    let range: Range<Int>
    /// SHA-256 of the new bytes, which lie in the journal under the number of the write.
    let digest: Digest
  }

  var writes: [Write] = []
  /// Whether a ledger remains.
  var keepsLedger = true

  static func manifest(in directory: String) -> String { directory + "/journal.json" }
  static func bytes(of index: Int, in directory: String) -> String { "\(directory)/\(index).bytes" }
}

// MARK: - The file

extension InPlaceJournal {
  func serialized() -> [UInt8] {
    let json: JSON = [
      "version": .integer(Self.formatVersion), "keeps_ledger": .bool(keepsLedger),
      "writes": .array(
        writes.map { write in
          [
            "file": JSON(write.file), "offset": .integer(write.range.lowerBound),
            "length": .integer(write.range.count), "sha256": JSON(write.digest.description),
          ]
        }),
    ]
    return Array(json.prettyPrinted().utf8)
  }

  /// - Throws: an `ErrataError` (damaged input).
  init(path: String) throws {
    let json = try JSON.parse(contentsOf: path, maximumValueCount: Ledger.largestValueCount)
    guard json["version"]?.integerValue == Self.formatVersion, let keepsLedger = json["keeps_ledger"]?.boolValue,
      let entries = json["writes"]?.arrayValue
    else { throw ErrataError.damagedJournal(path) }
    self.keepsLedger = keepsLedger
    for entry in entries {
      guard let file = entry["file"]?.stringValue, let offset = entry["offset"]?.integerValue,
        let length = entry["length"]?.integerValue, offset >= 0, length >= 0, offset <= Int.max - length,
        let digest = entry["sha256"]?.stringValue.flatMap(Digest.init(hexadecimal:))
      else { throw ErrataError.damagedJournal(path) }
      writes.append(Write(file: file, range: offset..<offset + length, digest: digest))
    }
  }
}

// MARK: - Putting it into effect

extension InPlaceJournal {
  /// Does what a committed journal says, or does it again, and puts the next ledger in place.
  ///
  /// - Parameter isOwn: whether this process has just written the journal, so that its bytes need not be digested again.
  /// - Throws: an `ErrataError`; if the disk is to blame, it says that the next run goes on.
  static func finish(_ checkpoint: Checkpoint, _ location: LedgerLocation, isOwn: Bool = false) throws {
    do {
      try putInPlace(checkpoint, location, isOwn: isOwn)
    } catch let error as ErrataError where error.category == .general {
      throw isPending(location) ? ErrataError.changeGoesOn(error) : ErrataError.changeNotFlushed(error)
    }
    // What is not cleared away now is when the next change begins.
    try? clearDebris(location)
  }

  private static func putInPlace(_ checkpoint: Checkpoint, _ location: LedgerLocation, isOwn: Bool) throws {
    let next = location.next
    let journal = try InPlaceJournal(path: manifest(in: next.journal))
    try journal.perform(on: checkpoint, from: next.journal, isOwn: isOwn)
    let parent = parentDirectory(of: location.directory)
    try removeItem(location.previous)
    if exists(location.directory) { try renameItem(location.directory, to: location.previous) }
    // The renamed journal of a ledger that does not remain is debris, which the next run clears.
    try renameItem(next.directory, to: journal.keepsLedger ? location.directory : next.directory + ".done")
    try synchronizeDirectory(parent)
  }

  /// Whether a change was committed and not finished.
  static func isPending(_ location: LedgerLocation) -> Bool { exists(location.next.directory) }

  /// Removes what an interrupted run left: a journal that was never committed, or one that is done.
  static func clearDebris(_ location: LedgerLocation) throws {
    try removeItem(location.previous)
    try removeItem(location.journal)
    let parent = parentDirectory(of: location.directory)
    let prefix = fileName(of: location.next.directory) + "."
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
      try removeItem("\(parent)/\(name)")
    }
  }

  private func perform(on checkpoint: Checkpoint, from directory: String, isOwn: Bool) throws {
    let path = Self.manifest(in: directory)
    var writers: [String: FileRegionWriter] = [:]
    // All is checked before anything is written.
    for (index, write) in writes.enumerated() {
      // Only weight files of this checkpoint: a journal must not reach any other file.
      guard let shard = checkpoint.shards.first(where: { fileName(of: $0.path) == write.file }),
        write.range.upperBound <= shard.byteCount, write.range.lowerBound >= shard.header.bytes.count
      else { throw ErrataError.damagedJournal(path) }
      let bytes = try MappedFile(path: Self.bytes(of: index, in: directory))
      guard bytes.bytes.count == write.range.count,
        isOwn || bytes.digest(of: bytes.bytes.indices) == write.digest
      else { throw ErrataError.damagedJournal(path) }
      try checkOwnFile(shard.path)
      if writers[write.file] == nil { writers[write.file] = try FileRegionWriter(path: shard.path) }
    }
    for (index, write) in writes.enumerated() {
      let file = try MappedFile(path: Self.bytes(of: index, in: directory))
      try file.forEachWindow(of: file.bytes.indices) { window in
        try writers[write.file]!.write(
          UnsafeRawBufferPointer(rebasing: file.bytes[window]), at: write.range.lowerBound + window.lowerBound)
      }
    }
    for writer in writers.values { try writer.synchronize() }
  }
}

/// That a file is the checkpoint's alone: what is written to a file of several names, or through a link, changes in other
/// places too.
func checkOwnFile(_ path: String) throws {
  var status = stat()
  guard lstat(path, &status) == 0 else { throw ErrataError.file("read", path, errno) }
  guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else { throw ErrataError.fileIsShared(path) }
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
