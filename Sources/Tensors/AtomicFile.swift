import Foundation

/// A file that appears whole or not at all: bytes go to a temporary file beside it, which `commit` flushes to disk and
/// renames over the destination. Dropping the writer without a commit removes the temporary file.
public final class AtomicFile {
  public let path: String
  private let destination: String
  private let temporaryPath: String
  private var descriptor: Int32
  private var buffer: [UInt8] = []
  private static let bufferSize = 1 << 20
  /// The number of bytes written so far.
  public private(set) var byteCount = 0

  /// - Throws: an `ErrataError` if the temporary file cannot be made.
  public init(path: String) throws {
    var status = stat()
    if stat(path, &status) == 0 {
      // A rename would put a file where a device, a pipe or a directory was.
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw ErrataError(.general, "\(path): is not a regular file; give another output")
      }
    }
    self.path = path
    // Through a symbolic link, the file that it names is replaced, and the link stays.
    destination = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let url = URL(fileURLWithPath: destination)
    let directory = url.deletingLastPathComponent().path
    var template = Array("\(directory)/.\(url.lastPathComponent).XXXXXX".utf8CString)
    let made = mkstemp(&template)
    guard made >= 0 else { throw ErrataError.system("write", path, errno) }
    descriptor = made
    _ = fcntl(made, F_SETFD, FD_CLOEXEC)
    temporaryPath = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    // mkstemp makes private files; a checkpoint or a patch is as readable as the umask says.
    let mask = umask(0)
    umask(mask)
    guard fchmod(descriptor, 0o666 & ~mask) == 0 else {
      let code = errno
      close(descriptor)
      unlink(temporaryPath)
      throw ErrataError.system("write", path, code)
    }
  }

  /// Checks what can be known of `path` before long work whose result goes there: the directory that it lies in is there
  /// and can be written to, and no directory or other file would be replaced.
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

  private static func isSameFile(_ first: String, _ second: String) -> Bool {
    var statuses = (stat(), stat())
    guard stat(first, &statuses.0) == 0, stat(second, &statuses.1) == 0 else { return false }
    return statuses.0.st_dev == statuses.1.st_dev && statuses.0.st_ino == statuses.1.st_ino
  }

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporaryPath)
    }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    byteCount += bytes.count
    if buffer.count + bytes.count > Self.bufferSize {
      try flush()
    }
    if bytes.count >= Self.bufferSize {
      try writeThrough(bytes)
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
    try flush()
    guard fsync(descriptor) == 0 else { throw ErrataError.system("write", path, errno) }
    guard rename(temporaryPath, destination) == 0 else { throw ErrataError.system("write", path, errno) }
    close(descriptor)
    descriptor = -1
    try synchronizeDirectory(URL(fileURLWithPath: destination).deletingLastPathComponent().path)
  }

  private func flush() throws {
    try buffer.withUnsafeBytes { try writeThrough($0) }
    buffer.removeAll(keepingCapacity: true)
  }

  private func writeThrough(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let written = Foundation.write(descriptor, rest.baseAddress, rest.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw ErrataError.system("write", path, errno)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }

  /// Writes `bytes` to `path` atomically.
  public static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write(bytes)
    try file.commit()
  }
}

/// Flushes a directory's entries to disk, so that a rename in it survives a crash.
public func synchronizeDirectory(_ path: String) throws {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
  defer { close(descriptor) }
  guard fsync(descriptor) == 0 || errno == EINVAL else { throw ErrataError.system("write", path, errno) }
}
