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
    let url = URL(fileURLWithPath: destination)
    let parent = url.deletingLastPathComponent().path
    guard let realParent = Self.realPath(parent) else { throw ErrataError.file("write to", parent, errno) }
    if isDirectory, let realSource = Self.realPath(source), (realParent + "/").hasPrefix(realSource + "/") {
      throw ErrataError.outputInsideSource(destination, source)
    }
    var template = Array("\(parent)/.\(url.lastPathComponent).XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ErrataError.file("write to", parent, errno) }
    temporaryPath = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    if isDirectory {
      var status = stat()
      if stat(source, &status) == 0 { chmod(temporaryPath, status.st_mode & 0o777 | 0o700) }
    }
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
      try move(temporaryPath, destination)
    } else {
      // The ledger first: without its file it is nothing, and a file without its ledger could not be reverted.
      if FileManager.default.fileExists(atPath: ledger.directory) {
        try move(ledger.directory, LedgerLocation(checkpoint: destination, isDirectory: false).directory)
      }
      try move(path(of: ""), destination)
    }
    try synchronizeDirectory(URL(fileURLWithPath: destination).deletingLastPathComponent().path)
  }

  private func move(_ source: String, _ destination: String) throws {
    guard rename(source, destination) == 0 else { throw ErrataError.file("write", destination, errno) }
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
