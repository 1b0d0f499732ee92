import Foundation
import Tensors

/// A file or a folder in the making, in a temporary folder beside its place: it appears under its name when it is
/// whole, and never in the place of another. Dropping it before removes it.
final class NewOutput {
  private let destination: String
  private let folder: String
  /// Where it is made.
  let path: String

  /// - Parameter isFolder: whether a folder is made at `path`.
  /// - Throws: an `ErrataError` if something has the name already, or if nothing can be written beside it.
  init(_ name: String, isFolder: Bool) throws {
    try Self.check(name)
    destination = Self.trimmed(name)
    let url = URL(fileURLWithPath: destination)
    let prefix = "\(url.deletingLastPathComponent().path)/.\(url.lastPathComponent)"
    let place = destination
    folder = try temporaryEntry(prefix) {
      mkdir($0, 0o777)
    } onFailure: {
      ErrataError.outputFailed(place, $0)
    }.name
    path = "\(folder)/\(url.lastPathComponent)"
    if isFolder, mkdir(path, 0o777) != 0 { throw ErrataError.outputFailed(destination, errno) }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// That nothing has the name, and that something can be written under it.
  ///
  /// - Throws: an `ErrataError` that names the path.
  static func check(_ name: String) throws {
    guard !name.isEmpty else { throw ErrataError.outputUnnamed }
    var status = stat()
    guard lstat(trimmed(name), &status) != 0 else { throw ErrataError.outputIsThere(name) }
    try AtomicFile.checkDirectory(of: trimmed(name))
  }

  private static func trimmed(_ name: String) -> String {
    var name = name
    while name.count > 1, name.hasSuffix("/") { name.removeLast() }
    return name
  }

  /// Gives it its name.
  func commit() throws {
    var isDirectory: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    if isDirectory.boolValue { try synchronizeDirectory(path) }
    // A second name replaces nothing; to rename a directory replaces an empty one at most.
    let code = isDirectory.boolValue ? rename(path, destination) : link(path, destination)
    guard code == 0 else {
      throw [EEXIST, ENOTEMPTY, ENOTDIR].contains(errno)
        ? ErrataError.outputIsThere(destination) : ErrataError.outputFailed(destination, errno)
    }
    try synchronizeDirectory(URL(fileURLWithPath: destination).deletingLastPathComponent().path)
  }
}
