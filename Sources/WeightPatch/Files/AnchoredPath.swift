import Foundation
import Tensors

/// An open directory, which stays the same one whatever becomes of its name.
package final class Anchor: Sendable {
  package let descriptor: Int32

  /// - Throws: an `ErrataError` if there is no such directory. Links that lead to it are followed.
  package init(path: String) throws {
    descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
  }

  fileprivate init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// The names of what is in it, in order.
  package func entries() throws -> [String] {
    // Another descriptor: reading moves its position, and closing the stream closes it.
    guard let stream = fdopendir(openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) else {
      throw ErrataError.system("read", ".", errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}

/// A path below an open directory, walked one name at a time and never through a link.
///
/// What lies beside a checkpoint may come from anywhere: a link there must not lead a tool to read, write or remove a
/// file elsewhere, also if it is put there between a look and a use.
package struct AnchoredPath: Sendable {
  package let anchor: Anchor
  /// From the anchor on; one at least.
  let names: [String]
  /// What messages call it.
  package let path: String

  package init(_ name: String, in anchor: Anchor, path: String) {
    self.anchor = anchor
    names = [name]
    self.path = path
  }

  private init(anchor: Anchor, names: [String], path: String) {
    (self.anchor, self.names, self.path) = (anchor, names, path)
  }

  package var name: String { names.last! }

  /// - Parameter name: may be several, with slashes between.
  package func appending(_ name: String) -> AnchoredPath {
    let new = name.split(separator: "/").map(String.init)
    return AnchoredPath(anchor: anchor, names: names + new, path: "\(path)/\(name)")
  }

  /// Beside this, with a longer name.
  package func withSuffix(_ suffix: String) -> AnchoredPath {
    AnchoredPath(anchor: anchor, names: names.dropLast() + [name + suffix], path: path + suffix)
  }

  /// The directory that it lies in; nil for the anchor itself.
  private var parent: AnchoredPath? {
    guard names.count > 1 else { return nil }
    return AnchoredPath(anchor: anchor, names: names.dropLast(), path: String(path.dropLast(name.count + 1)))
  }

  // MARK: Looking

  package enum Kind {
    case file
    case directory
    case link
    case other
  }

  /// What is there; nil if nothing is.
  ///
  /// - Throws: an `ErrataError` if a link or no directory is on the way.
  package func kind() throws -> Kind? {
    guard let status = try status() else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .directory
    case S_IFLNK: return .link
    default: return .other
    }
  }

  /// - Returns: nil if nothing is there. A link is not followed.
  package func status() throws -> stat? {
    var status = stat()
    do {
      let result = try withParent("read") { fstatat($0, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno }
      if result == ENOENT { return nil }
      guard result == 0 else { throw ErrataError.system("read", path, result) }
    } catch is Absent {
      return nil
    }
    return status
  }

  /// Whether a directory is there.
  ///
  /// - Throws: an `ErrataError` (damaged input) if there is a link or anything else.
  package func isDirectory() throws -> Bool {
    switch try kind() {
    case nil: return false
    case .directory: return true
    case .link: throw ErrataError.linkAmongOwnFiles(path)
    default: throw ErrataError.foreignAmongOwnFiles(path)
    }
  }

  /// Whether a file is there.
  ///
  /// - Throws: as `isDirectory`.
  package func isFile() throws -> Bool {
    switch try kind() {
    case nil: return false
    case .file: return true
    case .link: throw ErrataError.linkAmongOwnFiles(path)
    default: throw ErrataError.foreignAmongOwnFiles(path)
    }
  }

  /// The size of the file that is there, in bytes.
  package func byteCount() throws -> Int {
    guard let status = try status() else { throw ErrataError.system("read", path, ENOENT) }
    return Int(status.st_size)
  }

  /// The names of what is in this directory, in order.
  package func entries() throws -> [String] { try Anchor(descriptor: openDirectory()).entries() }

  // MARK: Opening

  /// Opens a regular file; the caller closes it.
  ///
  /// - Parameter verb: what cannot be done, for the error: `open`, `write`.
  /// - Throws: an `ErrataError`: damaged input, if there is a link, a pipe or anything else that is no regular file.
  package func open(_ flags: Int32 = O_RDONLY, _ verb: String = "open") throws -> Int32 {
    // O_NONBLOCK: opening a pipe would wait for the other side.
    let descriptor = try call(verb) {
      openat($0, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o666)
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ErrataError.foreignAmongOwnFiles(path)
    }
    return descriptor
  }

  /// Opens this directory; the caller closes it.
  package func openDirectory() throws -> Int32 {
    try call("open") { openat($0, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
  }

  /// The whole file, mapped.
  package func map() throws -> MappedFile {
    let descriptor = try open()
    defer { close(descriptor) }
    return try MappedFile(descriptor: descriptor, path: path)
  }

  /// A file that takes this path when it is complete.
  func atomicFile() throws -> AtomicFile {
    try withParent("write") { try AtomicFile(name: name, inDirectory: $0, path: path) }
  }

  /// Puts a file of these bytes there, whole or not at all.
  package func write(_ bytes: [UInt8]) throws {
    let file = try atomicFile()
    try file.write(bytes)
    try file.commit()
  }

  // MARK: Changing

  /// - Parameter mode: its permissions, whatever the umask says, with all of them for its owner; by default as the
  ///   umask says.
  package func makeDirectory(mode: mode_t? = nil) throws {
    try call("make") { mkdirat($0, name, mode == nil ? 0o777 : 0o700) }
    if let mode { try setMode(mode, "make") }
  }

  /// A directory of a new name, beside this, which begins with this one's.
  ///
  /// - Parameter mode: its permissions, with all of them for its owner; by default it is the owner's alone.
  package func makeTemporaryDirectory(mode: mode_t? = nil) throws -> AnchoredPath {
    let (made, _) = try temporaryEntry(name) { name in
      (try? withParent("write to") { mkdirat($0, name, 0o700) }) ?? -1
    } onFailure: {
      ErrataError.system("write to", parentDirectory(of: path), $0)
    }
    let directory = withSuffix(String(made.dropFirst(name.count)))
    do {
      if let mode { try directory.setMode(mode, "write to", named: parentDirectory(of: path)) }
    } catch {
      try? directory.removeDirectory()
      throw error
    }
    return directory
  }

  /// - Parameter label: what messages call this, if not by its path.
  private func setMode(_ mode: mode_t, _ verb: String, named label: String? = nil) throws {
    let descriptor = try openDirectory()
    defer { close(descriptor) }
    guard fchmod(descriptor, mode & 0o777 | 0o700) == 0 else {
      throw ErrataError.system(verb, label ?? path, errno)
    }
  }

  /// Gives this another path; what is there is replaced, as `rename` does.
  package func rename(to other: AnchoredPath) throws {
    try withParent("write") { source in
      _ = try other.call("write") { renameat(source, name, $0, other.name) }
    }
  }

  /// Gives this another path, if nothing but an empty directory is there: what came into the way meanwhile stays.
  ///
  /// - Throws: an `ErrataError`; `occupied` if something is in the way.
  package func move(to other: AnchoredPath, occupied: ErrataError) throws {
    let code = try withParent("write") { source in
      try other.withParent("write") { destination -> Int32 in
        // To rename a directory replaces an empty one only; a file would replace any, and a second name does not.
        if try kind() == .file {
          if linkat(source, name, destination, other.name, 0) == 0 {
            unlinkat(source, name, 0)
            return 0
          }
          if errno == EEXIST { return errno }
        }
        return renameat(source, name, destination, other.name) == 0 ? 0 : errno
      }
    }
    guard code != 0 else { return }
    throw [EEXIST, ENOTEMPTY, ENOTDIR].contains(code) ? occupied : ErrataError.system("write", other.path, code)
  }

  /// Makes this a second name of an open file.
  package func link(to descriptor: Int32) throws {
    try call("link") { linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", $0, name, AT_SYMLINK_FOLLOW) }
  }

  package func removeFile() throws { try call("remove") { unlinkat($0, name, 0) } }

  /// Removes a directory, which must be empty.
  package func removeDirectory() throws { try call("remove") { unlinkat($0, name, AT_REMOVEDIR) } }

  /// Removes this directory with everything that is in it, whatever that is; of links, the links.
  ///
  /// - Parameter last: the name of the file that is removed after all others.
  package func removeTree(last: String? = nil) throws {
    for entry in try entries().sorted(by: { $0 != last && $1 == last }) {
      let path = appending(entry)
      if try path.kind() == .directory { try path.removeTree() } else { try path.removeFile() }
    }
    try removeDirectory()
  }

  /// Flushes this directory's entries to disk.
  package func synchronizeDirectory() throws {
    let descriptor = try openDirectory()
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw ErrataError.system("write", path, errno) }
  }

  /// Flushes the entries of the directory that this lies in.
  package func synchronizeParent() throws {
    try withParent("write") {
      guard fsync($0) == 0 || errno == EINVAL else {
        // Before anything else sets it.
        let code = errno
        throw ErrataError.system("write", parentDirectory(of: path), code)
      }
    }
  }

  // MARK: Walking

  /// Nothing is at a name on the way.
  private struct Absent: Error {}

  /// Calls `body` with the descriptor of the directory that this lies in.
  private func withParent<Result>(_ verb: String, _ body: (Int32) throws -> Result) throws -> Result {
    guard let parent else { return try body(anchor.descriptor) }
    var directory = anchor
    for (index, name) in names.dropLast().enumerated() {
      let next = openat(directory.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard next >= 0 else {
        let code = errno
        if code == ENOENT, verb == "read" { throw Absent() }
        var folder = parent
        while folder.names.count > index + 1 { folder = folder.parent! }
        throw folder.error(verb, code, in: directory.descriptor, whole: path)
      }
      directory = Anchor(descriptor: next)
    }
    defer { withExtendedLifetime(directory) {} }
    return try body(directory.descriptor)
  }

  /// The result of a system call in the directory that this lies in.
  @discardableResult
  private func call(_ verb: String, _ body: (Int32) -> Int32) throws -> Int32 {
    try withParent(verb) { directory in
      let result = body(directory)
      guard result >= 0 else { throw error(verb, errno, in: directory, whole: path) }
      return result
    }
  }

  /// What a failure means: a link, or what is no directory, is told from the disk's errors.
  private func error(_ verb: String, _ code: Int32, in directory: Int32, whole: String) -> ErrataError {
    var status = stat()
    let mayBeLink = [ELOOP, ENOTDIR, ENXIO].contains(code)
    guard mayBeLink, fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
      return ErrataError.system(verb, whole, code)
    }
    return status.st_mode & S_IFMT == S_IFLNK
      ? ErrataError.linkAmongOwnFiles(path) : ErrataError.foreignAmongOwnFiles(path)
  }
}
