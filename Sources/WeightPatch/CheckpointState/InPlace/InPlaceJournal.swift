import Foundation
import Safetensors
import Tensors

/// Bytes that shall replace those of a checkpoint's tensors, on disk before the first of them is touched
/// (Spec: changes in place).
///
/// The journal lies in the next ledger's directory. That directory's name is the commit: before it has the name, nothing
/// happened; once it has, everything will, now or in the next run.
struct InPlaceJournal {
  static let formatVersion = 1

  struct Write {
    let tensor: ByteString
    /// The tensor digest of the new bytes, which lie in the journal under the number of the write.
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
        writes.map { ["tensor": .string($0.tensor), "digest": JSON($0.digest.description)] }),
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
      guard let tensor = entry["tensor"]?.bytesValue,
        let digest = entry["digest"]?.stringValue.flatMap(Digest.init(hexadecimal:))
      else { throw ErrataError.damagedJournal(path) }
      writes.append(Write(tensor: tensor, digest: digest))
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
    let sources = try writes.enumerated().map { index, write in
      // By a tensor's name a journal reaches no header, and no file but the checkpoint's weights.
      guard let tensor = try? checkpoint.tensor(named: write.tensor) else { throw ErrataError.damagedJournal(path) }
      let source = try MappedFile(path: Self.bytes(of: index, in: directory))
      guard source.bytes.count == tensor.info.byteCount, isOwn || tensor.info.digest(of: source) == write.digest
      else { throw ErrataError.damagedJournal(path) }
      try checkOwnFile(tensor.file.path)
      if writers[tensor.file.path] == nil {
        writers[tensor.file.path] = try FileRegionWriter(path: tensor.file.path)
      }
      return (tensor: tensor, file: source)
    }
    // One thread writes, another has what was written brought to the disk.
    let flushing = DispatchQueue(label: "flushing")
    for (tensor, source) in sources {
      let writer = writers[tensor.file.path]!
      try source.forEachWindow(of: source.bytes.indices) { window in
        try writer.write(
          UnsafeRawBufferPointer(rebasing: source.bytes[window]),
          at: tensor.info.fileRange.lowerBound + window.lowerBound)
      }
      flushing.async {
        writer.startWriting(tensor.info.fileRange)
        source.forget()
      }
    }
    flushing.sync {}
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
