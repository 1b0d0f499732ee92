import Foundation
import Safetensors
import Tensors
import WeightPatch

/// A checkpoint in the making: a temporary directory beside its destination, in which what takes its place lies when it
/// is complete. Dropping it before removes it; what a killed process left is removed when the next output is made
/// beside it.
final class OutputStage {
  private let destination: String
  private let isDirectory: Bool
  private let temporary: AnchoredPath
  /// In the temporary directory: the checkpoint's, or one that the bare file and its ledger are in.
  private let content: AnchoredPath
  /// Says that the directory is being worked on.
  private let lock: CheckpointLock

  /// - Parameters:
  ///   - source: the checkpoint's path.
  ///   - isDirectory: whether it is a directory, or a bare file with its ledger beside it.
  /// - Throws: an `ErrataError` if the destination is taken, if it lies in the source, or if it cannot be written to.
  init(destination path: String, source: String, isDirectory: Bool) throws {
    if !path.isEmpty, let parent = try? Anchor(path: parentDirectory(of: path)) {
      Self.removeAbandoned(in: parent, parentDirectory(of: path))
    }
    let place = try OutputDestination(path: path, source: source, isDirectory: isDirectory)
    destination = place.path
    self.isDirectory = isDirectory
    let name = ".\(fileName(of: destination))\(Self.infix)"
    let prefix = AnchoredPath(name, in: try Anchor(path: place.parent), path: "\(place.parent)/\(name)")
    (temporary, lock) = try Self.makeLocked(prefix)
    content = temporary.appending(Self.contentName)
    do {
      _ = try FileRegionWriter(new: temporary.appending(Self.markName))
      // On disk before anything else is: a loss of power must not leave content that nobody recognises.
      try temporary.synchronizeDirectory()
      var status = stat()
      guard stat(source, &status) == 0 else { throw ErrataError.system("read", source, errno) }
      // Who may look at the source may look at what is made of it.
      try content.makeDirectory(mode: isDirectory ? status.st_mode : nil)
    } catch let error as ErrataError {
      throw renamed(error)
    }
  }

  deinit { try? temporary.removeTree(last: Self.markName) }

  /// Where a file of the checkpoint is made; a bare file takes the destination's name.
  func path(of name: String) -> AnchoredPath { content.appending(isDirectory ? name : fileName(of: destination)) }

  var ledger: LedgerLocation {
    LedgerLocation(
      directory: isDirectory ? content.appending(LedgerLocation.name) : path(of: "").withSuffix(LedgerLocation.name))
  }

  /// The error about the names that files would have had in their place, where it is about those that they have here.
  func renamed(_ error: ErrataError) -> ErrataError {
    let own = (isDirectory ? [] : [path(of: "").path]) + [content.path, temporary.path]
    return error.renamingSubjects { subject in
      guard let prefix = own.first(where: subject.hasPrefix) else { return subject }
      return destination + subject.dropFirst(prefix.count)
    }
  }

  /// Puts what was made in its place.
  ///
  /// - Throws: an `ErrataError`; the destination is then as it was.
  func commit() throws {
    try content.synchronizeDirectory()
    let place = AnchoredPath(fileName(of: destination), in: temporary.anchor, path: destination)
    func move(_ source: AnchoredPath, to place: AnchoredPath) throws {
      try source.move(to: place, occupied: ErrataError.outputExists(place.path))
    }
    if isDirectory {
      try move(content, to: place)
    } else {
      // The ledger first: without its file it is nothing, and a file without its ledger could not be reverted.
      let ledgerPlace = place.withSuffix(LedgerLocation.name)
      let hasLedger = try ledger.directory.isDirectory()
      if hasLedger { try move(ledger.directory, to: ledgerPlace) }
      do {
        try move(path(of: ""), to: place)
      } catch {
        if hasLedger {
          do { try ledgerPlace.rename(to: ledger.directory) } catch { try? OwnContent.remove([ledgerPlace]) }
        }
        throw error
      }
    }
    do {
      try place.synchronizeParent()
    } catch let error as ErrataError {
      throw ErrataError.changeNotFlushed(error)
    }
  }
}

// MARK: - What killed processes left

extension OutputStage {
  /// Comes after the destination's name, before the characters that make the directory's name its own.
  private static let infix = ".errata-partial"
  private static let contentName = "checkpoint"
  /// An empty file that says whose the temporary directory is.
  private static let markName = "errata-partial"

  private static func makeLocked(_ prefix: AnchoredPath) throws -> (AnchoredPath, CheckpointLock) {
    for _ in 0..<10 {
      let path = try prefix.makeTemporaryDirectory(mode: 0o700)
      // Another process may have taken it for abandoned before it was locked.
      if let lock = try? CheckpointLock(directory: path, isExclusive: false), try path.kind() != nil {
        return (path, lock)
      }
      try? path.removeDirectory()
    }
    throw ErrataError.checkpointBusy(prefix.path)
  }

  /// Removes the directories that this user's processes made and that nobody holds a lock on any more.
  private static func removeAbandoned(in anchor: Anchor, _ parent: String) {
    for name in (try? anchor.entries()) ?? [] {
      guard let match = name.wholeMatch(of: /\.(.+)\.errata-partial\.[A-Za-z0-9]{6}/) else { continue }
      let stage = AnchoredPath(name, in: anchor, path: "\(parent)/\(name)")
      guard let status = try? stage.status(), status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
        let lock = try? CheckpointLock(directory: stage, isExclusive: true)
      else { continue }
      if (try? stage.appending(markName).isFile()) == true {
        takeBackLedger(ofFile: String(match.1), beside: stage, parent)
        try? stage.removeTree(last: markName)
      } else {
        // Only if it is empty: the process was killed before it could say that it is its own.
        try? stage.removeDirectory()
      }
      withExtendedLifetime(lock) {}
    }
  }

  /// A bare file's ledger that took its place while the file did not.
  private static func takeBackLedger(ofFile name: String, beside stage: AnchoredPath, _ parent: String) {
    let file = AnchoredPath(name, in: stage.anchor, path: "\(parent)/\(name)")
    let place = LedgerLocation(directory: file.withSuffix(LedgerLocation.name))
    guard (try? file.kind()) == .some(nil), let ledger = try? Ledger(place.manifest.map()),
      let staged = try? Checkpoint(path: stage.appending(contentName).appending(name).path)
    else { return }
    // It is that file's if it says what the file's tensors are.
    guard ledger.tensors.allSatisfy({ (try? staged.digest(of: $0.key)) == $0.value.current }) else { return }
    try? OwnContent.remove([place.directory])
  }
}
