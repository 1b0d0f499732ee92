import Foundation
import Safetensors
import Tensors

/// A checkpoint in the making: a temporary directory beside its destination, which takes its place when it is complete.
/// Dropping it before removes it; what a killed process left is removed when the next output is made beside it.
final class OutputStage {
  private let destination: String
  private let isDirectory: Bool
  private let temporaryPath: String
  /// Says that the directory is being worked on.
  private let lock: CheckpointLock
  private var isCommitted = false

  /// - Parameters:
  ///   - source: the checkpoint's path.
  ///   - isDirectory: whether it is a directory, or a bare file with its ledger beside it.
  /// - Throws: an `ErrataError` if the destination is taken, if it lies in the source, or if it cannot be written to.
  init(destination path: String, source: String, isDirectory: Bool) throws {
    if !path.isEmpty { Self.removeAbandoned(in: parentDirectory(of: path)) }
    let place = try OutputDestination(path: path, source: source, isDirectory: isDirectory)
    destination = place.path
    self.isDirectory = isDirectory
    (temporaryPath, lock) = try Self.makeLocked(
      prefix: "\(place.parent)/.\(fileName(of: destination))\(Self.infix)", like: isDirectory ? source : place.parent)
  }

  deinit { if !isCommitted { try? FileManager.default.removeItem(atPath: temporaryPath) } }

  /// Where a file of the checkpoint is made; a bare file takes the destination's name.
  func path(of name: String) -> String {
    "\(temporaryPath)/\(isDirectory ? name : fileName(of: destination))"
  }

  var ledger: LedgerLocation {
    LedgerLocation(checkpoint: isDirectory ? temporaryPath : path(of: ""), isDirectory: isDirectory)
  }

  /// The error with the names that files would have had in their place, where it has those that they have here.
  func renamed(_ error: ErrataError) -> ErrataError {
    var message = error.message
    if !isDirectory { message.replace(path(of: ""), with: destination) }
    message.replace(temporaryPath, with: destination)
    return ErrataError(error.category, message)
  }

  /// Puts what was made in its place.
  ///
  /// - Throws: an `ErrataError`; the destination is then as it was.
  func commit() throws {
    try synchronizeDirectory(temporaryPath)
    if isDirectory {
      try Self.move(temporaryPath, to: destination)
      isCommitted = true
    } else {
      // The ledger first: without its file it is nothing, and a file without its ledger could not be reverted.
      let place = LedgerLocation(checkpoint: destination, isDirectory: false).directory
      let hasLedger = FileManager.default.fileExists(atPath: ledger.directory)
      if hasLedger { try Self.move(ledger.directory, to: place) }
      do {
        try Self.move(path(of: ""), to: destination)
      } catch {
        if hasLedger, rename(place, ledger.directory) != 0 { try? FileManager.default.removeItem(atPath: place) }
        throw error
      }
    }
    do {
      try synchronizeDirectory(parentDirectory(of: destination))
    } catch let error as ErrataError {
      throw ErrataError.changeNotFlushed(error)
    }
  }

  /// Gives what was made its name; what came into the way since it was looked at stays.
  private static func move(_ source: String, to destination: String) throws {
    var status = stat()
    let isFile = lstat(source, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    // To rename a directory replaces an empty one only; a file would replace any, and a second name does not.
    if isFile {
      if link(source, destination) == 0 {
        unlink(source)
        return
      }
      if errno == EEXIST { throw ErrataError.outputExists(destination) }
    }
    guard rename(source, destination) != 0 else { return }
    let code = errno
    throw [EEXIST, ENOTEMPTY, ENOTDIR].contains(code)
      ? ErrataError.outputExists(destination) : ErrataError.file("write", destination, code)
  }
}

// MARK: - What killed processes left

extension OutputStage {
  /// Comes after the destination's name, before the characters that make the directory's name its own.
  private static let infix = ".errata-partial"

  private static func makeLocked(prefix: String, like model: String) throws -> (String, CheckpointLock) {
    for _ in 0..<10 {
      let path = try makeTemporaryDirectory(prefix: prefix, like: model)
      // Another process may have taken it for abandoned before it was locked.
      if let lock = try? CheckpointLock(path: path, isExclusive: false), access(path, F_OK) == 0 { return (path, lock) }
      rmdir(path)
    }
    throw ErrataError.checkpointBusy(prefix)
  }

  /// Removes the directories that nobody holds a lock on any more.
  private static func removeAbandoned(in parent: String) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] {
      guard let match = name.wholeMatch(of: /\.(.+)\.errata-partial\.[A-Za-z0-9]{6}/) else { continue }
      let path = "\(parent)/\(name)"
      guard let lock = try? CheckpointLock(path: path, isExclusive: true) else { continue }
      takeBackLedger(ofFile: String(match.1), in: parent, stage: path)
      try? FileManager.default.removeItem(atPath: path)
      withExtendedLifetime(lock) {}
    }
  }

  /// A bare file's ledger that took its place while the file did not.
  private static func takeBackLedger(ofFile name: String, in parent: String, stage: String) {
    let place = LedgerLocation(checkpoint: "\(parent)/\(name)", isDirectory: false)
    guard access("\(parent)/\(name)", F_OK) != 0, let ledger = try? Ledger(path: place.manifest),
      let staged = try? Checkpoint(path: "\(stage)/\(name)")
    else { return }
    // It is that file's if it says what the file's tensors are.
    guard ledger.tensors.allSatisfy({ (try? staged.digest(of: $0.key)) == $0.value.current }) else { return }
    try? FileManager.default.removeItem(atPath: place.directory)
  }
}
