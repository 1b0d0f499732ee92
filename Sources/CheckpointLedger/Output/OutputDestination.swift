import Foundation
import Tensors
import WeightPatch

/// A place where a new checkpoint can be made: nothing is there, and its directory can be written to.
struct OutputDestination {
  /// Without slashes at its end.
  let path: String
  /// The directory that it lies in.
  let parent: String

  /// Looks, and makes nothing.
  ///
  /// - Parameters:
  ///   - source: the checkpoint that the new one is made from.
  ///   - isDirectory: whether both are directories, or bare files with a ledger beside them.
  /// - Throws: an `ErrataError` if the place is taken, if it lies in the source, or if it cannot be written to.
  init(path: String, source: String, isDirectory: Bool) throws {
    guard !path.isEmpty else { throw ErrataError.outputUnnamed }
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
    parent = parentDirectory(of: path)
    guard Self.isFree(path, orEmptyDirectory: isDirectory) else { throw ErrataError.outputExists(path) }
    let ledger = path + LedgerLocation.name
    guard isDirectory || Self.isFree(ledger, orEmptyDirectory: false) else { throw ErrataError.outputExists(ledger) }
    if isDirectory, let realParent = Self.realPath(parent + "/"), let realSource = Self.realPath(source),
      (realParent + "/").hasPrefix(realSource + "/")
    {
      throw ErrataError.outputInsideSource(path, source)
    }
    try AtomicFile.checkDirectory(of: path)
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
