import Foundation
import Tensors

/// A checkpoint in the making: a temporary directory beside its destination, which takes its place when it is complete.
/// Dropping it before removes it.
final class OutputStage {
  private let destination: String
  private let isDirectory: Bool
  private let temporaryPath: String

  /// - Parameter isDirectory: whether the checkpoint is a directory, or a bare file with its ledger beside it.
  /// - Throws: an `ErrataError` if the destination is taken, if it lies in the source, or if it cannot be written to.
  init(destination: String, source: String, isDirectory: Bool) throws {
    var destination = destination
    while destination.count > 1, destination.hasSuffix("/") { destination.removeLast() }
    self.destination = destination
    self.isDirectory = isDirectory
    guard Self.isFree(destination, orEmptyDirectory: isDirectory) else { throw ErrataError.outputExists(destination) }
    let ledger = LedgerLocation(checkpoint: destination, isDirectory: false).directory
    guard isDirectory || Self.isFree(ledger, orEmptyDirectory: false) else { throw ErrataError.outputExists(ledger) }
    let parent = parentDirectory(of: destination)
    guard let realParent = Self.realPath(parent) else { throw ErrataError.file("write to", parent, errno) }
    if isDirectory, let realSource = Self.realPath(source), (realParent + "/").hasPrefix(realSource + "/") {
      throw ErrataError.outputInsideSource(destination, source)
    }
    temporaryPath = try makeTemporaryDirectory(
      prefix: "\(parent)/.\(fileName(of: destination))", like: isDirectory ? source : parent)
  }

  deinit { try? FileManager.default.removeItem(atPath: temporaryPath) }

  /// Where a file of the checkpoint is made; a bare file takes the destination's name.
  func path(of name: String) -> String {
    "\(temporaryPath)/\(isDirectory ? name : fileName(of: destination))"
  }

  var ledger: LedgerLocation {
    LedgerLocation(checkpoint: isDirectory ? temporaryPath : path(of: ""), isDirectory: isDirectory)
  }

  /// Puts what was made in its place.
  func commit() throws {
    try synchronizeDirectory(temporaryPath)
    if isDirectory {
      try renameItem(temporaryPath, to: destination)
    } else {
      // The ledger first: without its file it is nothing, and a file without its ledger could not be reverted.
      if FileManager.default.fileExists(atPath: ledger.directory) {
        try renameItem(ledger.directory, to: LedgerLocation(checkpoint: destination, isDirectory: false).directory)
      }
      try renameItem(path(of: ""), to: destination)
    }
    try synchronizeDirectory(parentDirectory(of: destination))
  }

  private static func isFree(_ path: String, orEmptyDirectory: Bool) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0 else { return true }
    guard orEmptyDirectory, status.st_mode & S_IFMT == S_IFDIR else { return false }
    return (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false
  }

  private static func realPath(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
