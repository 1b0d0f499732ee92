import CKernels
import Foundation

/// A file that appears whole or not at all: bytes go to a file without a name, which `commit` flushes to disk and puts
/// in the destination's place. Of a process that is killed before, nothing is left. Where a file system has no files
/// without names, it is a temporary file beside the destination, which dropping the writer removes.
public final class AtomicFile {
  public let path: String
  /// Of the directory that the file lies in.
  private let directory: Int32
  private let name: String
  /// Nil as long as the file has no name.
  private var temporaryName: String?
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private static let bufferSize = 1 << 20
  /// The number of bytes written so far.
  public private(set) var byteCount = 0

  /// - Throws: an `ErrataError` if the temporary file cannot be made.
  public convenience init(path: String) throws {
    var status = stat()
    if stat(path, &status) == 0 {
      // A rename would put a file where a device, a pipe or a directory was.
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw ErrataError.outputNotRegular(path)
      }
    }
    // Through a symbolic link, the file that it names is replaced, and the link stays.
    let destination = URL(fileURLWithPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    let directory = open(destination.deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw ErrataError.system("write", path, errno) }
    defer { close(directory) }
    try self.init(name: destination.lastPathComponent, inDirectory: directory, path: path)
  }

  /// A file of an open directory, reached through no link.
  ///
  /// - Parameters:
  ///   - directory: its descriptor, which is duplicated.
  ///   - path: what messages call the file.
  ///   - mode: who may read and write it, less what the umask says.
  package init(name: String, inDirectory directory: Int32, path: String, mode: mode_t = 0o666) throws {
    let duplicate = fcntl(directory, F_DUPFD_CLOEXEC, 0)
    guard duplicate >= 0 else { throw ErrataError.system("write", path, errno) }
    let made: (name: String?, result: Int32)
    do {
      made = try Self.make(besides: name, inDirectory: duplicate, path: path, mode)
    } catch {
      close(duplicate)
      throw error
    }
    self.path = path
    self.name = name
    self.directory = duplicate
    (temporaryName, descriptor) = made
  }

  private static func make(
    besides name: String, inDirectory directory: Int32, path: String, _ mode: mode_t
  ) throws -> (name: String?, result: Int32) {
    let nameless = errata_open_nameless(directory, mode)
    if nameless >= 0 {
      // By this it gets its name in the end.
      if access(Self.path(of: nameless), F_OK) == 0 { return (nil, nameless) }
      close(nameless)
    } else if ![EOPNOTSUPP, EISDIR, EINVAL].contains(errno) {
      throw ErrataError.system("write", path, errno)
    }
    return try temporaryEntry(".\(name)") { name in
      openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    } onFailure: {
      ErrataError.system("write", path, $0)
    }
  }

  private static func path(of descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

  /// Checks what can be known of `path` before long work whose result goes there: the directory that it lies in is
  /// there and can be written to, and no directory or other file would be replaced.
  ///
  /// - Parameters:
  ///   - inputs: the paths of files that the result is made from: it replaces none of them, under whatever name.
  ///   - mayReplace: whether the file that is there is an earlier result, and not, for example, another input.
  /// - Throws: an `ErrataError` that names the path.
  public static func check(path: String, inputs: [String] = [], mayReplace: (String) -> Bool) throws {
    guard !path.isEmpty else { throw ErrataError.outputUnnamed }
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
      if isDirectory.boolValue { throw ErrataError.outputIsDirectory(path) }
      guard mayReplace(path) else { throw ErrataError.outputIsForeign(path) }
      guard !inputs.contains(where: { isSameFile($0, path) }) else { throw ErrataError.outputIsInput(path) }
    }
    try checkDirectory(of: path)
  }

  /// Checks that something can be written beside `path`, or under its name.
  ///
  /// - Throws: an `ErrataError` that names the path, if its directory is not there or cannot be written to.
  public static func checkDirectory(of path: String) throws {
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: parent, isDirectory: &isDirectory), isDirectory.boolValue else {
      throw ErrataError.outputWithoutDirectory(path)
    }
    guard access(parent, W_OK | X_OK) == 0 else { throw ErrataError.outputNotWritable(path, errno) }
  }

  deinit {
    if let temporaryName { unlinkat(directory, temporaryName, 0) }
    close(descriptor)
    close(directory)
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    byteCount += bytes.count
    if buffer.count + bytes.count > Self.bufferSize {
      try flush()
    }
    if bytes.count >= Self.bufferSize {
      try writeAll(bytes, to: descriptor, path: path)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  public func write(_ bytes: some Sequence<UInt8>) throws {
    let array = Array(bytes)
    try array.withUnsafeBytes { try write($0) }
  }

  /// Flushes the file and its name to disk; after this the destination holds exactly the bytes written.
  public func commit() throws {
    try synchronize()
    // Not every file system can give a file a second name.
    if temporaryName == nil, try giveName() { return }
    // Only what has a name can replace another file.
    let temporary = try temporaryName ?? temporaryEntry(".\(name)", give) { ErrataError.system("write", path, $0) }.name
    temporaryName = temporary
    guard renameat(directory, temporary, directory, name) == 0 else {
      throw ErrataError.system("write", path, errno)
    }
    temporaryName = nil
    try synchronizeDirectory()
  }

  /// As `commit`, but for a file that must not be there yet.
  ///
  /// - Returns: false if it is there.
  package func commitNew() throws -> Bool {
    try synchronize()
    return try giveName()
  }

  private func synchronize() throws {
    try flush()
    guard fsync(descriptor) == 0 else { throw ErrataError.system("write", path, errno) }
  }

  private func giveName() throws -> Bool {
    guard (temporaryName.map { linkat(directory, $0, directory, name, 0) } ?? give(name)) == 0 else {
      guard errno == EEXIST else { throw ErrataError.system("write", path, errno) }
      return false
    }
    try synchronizeDirectory()
    return true
  }

  /// Gives the file a name, as `linkat` does.
  private func give(_ name: String) -> Int32 {
    linkat(AT_FDCWD, Self.path(of: descriptor), directory, name, AT_SYMLINK_FOLLOW)
  }

  private func synchronizeDirectory() throws {
    guard fsync(directory) == 0 || errno == EINVAL else { throw ErrataError.system("write", path, errno) }
  }

  private func flush() throws {
    try buffer.withUnsafeBytes { try writeAll($0, to: descriptor, path: path) }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes `bytes` to `path` atomically.
  public static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }
}

/// Makes an entry of a name that nothing has: `prefix`, a dot, and six letters or digits.
///
/// - Parameter make: makes the entry of a name; negative, with `errno` set, if it cannot.
package func temporaryEntry(
  _ prefix: String, _ make: (String) -> Int32, onFailure failure: (Int32) -> ErrataError
) throws -> (name: String, result: Int32) {
  let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
  var random = SystemRandomNumberGenerator()
  for _ in 0..<100 {
    let name = "\(prefix)." + String((0..<6).map { _ in letters.randomElement(using: &random)! })
    let result = make(name)
    if result >= 0 { return (name, result) }
    guard errno == EEXIST else { throw failure(errno) }
  }
  throw failure(EEXIST)
}

/// Flushes a directory's entries to disk, so that a rename in it survives a crash.
public func synchronizeDirectory(_ path: String) throws {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 || errno == EINVAL else { throw ErrataError.system("write", path, errno) }
}

/// Whether two paths lead to one file.
package func isSameFile(_ first: String, _ second: String) -> Bool {
  var statuses = (stat(), stat())
  guard stat(first, &statuses.0) == 0, stat(second, &statuses.1) == 0 else { return false }
  return statuses.0.st_dev == statuses.1.st_dev && statuses.0.st_ino == statuses.1.st_ino
}
