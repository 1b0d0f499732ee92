import CKernels
import Foundation
import Tensors

/// How files that do not change get to the output.
public enum CopyMode: Sendable {
  /// Shares the blocks where the file system can (FICLONE), else copies.
  case clone
  /// A second name for the same file: no space, but whoever changes one in place changes both.
  case hardLink
}

/// Copies one file, following symbolic links, with its permissions; the copy is on disk when this returns.
///
/// - Parameter advance: is told how many bytes have come, now and then; it may throw to stop.
func copyFile(
  from source: String, to destination: String, mode: CopyMode, advance: (Int) throws -> Void = { _ in }
) throws {
  if mode == .hardLink {
    guard let resolved = realpath(source, nil) else { throw ErrataError.file("open", source, errno) }
    defer { free(resolved) }
    guard link(resolved, destination) == 0 else { throw ErrataError.file("link", destination, errno) }
    return
  }
  let input = open(source, O_RDONLY | O_CLOEXEC)
  guard input >= 0 else { throw ErrataError.file("open", source, errno) }
  defer { close(input) }
  var status = stat()
  guard fstat(input, &status) == 0 else { throw ErrataError.file("read", source, errno) }
  guard status.st_mode & S_IFMT == S_IFREG else { throw ErrataError.notARegularFile(source) }
  let output = open(destination, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  guard output >= 0 else { throw ErrataError.file("write", destination, errno) }
  defer { close(output) }
  let size = Int(status.st_size)
  if ioctl(output, ficlone, input) == 0 {
    try advance(size)
  } else {
    var left = size
    var isWithinFileSystem = true
    while left > 0 {
      let piece = min(left, 32 << 20)
      let count =
        isWithinFileSystem
        ? errata_copy_file_range(input, output, piece) : sendfile(output, input, nil, piece)
      if count < 0, errno == EINTR { continue }
      if count < 0, isWithinFileSystem, [EXDEV, EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) {
        isWithinFileSystem = false
        continue
      }
      guard count >= 0 else { throw ErrataError.file("write", destination, errno) }
      guard count > 0 else { throw ErrataError.changedWhileCopied(source) }
      left -= count
      try advance(count)
    }
  }
  guard fchmod(output, status.st_mode & 0o777) == 0, fsync(output) == 0 else {
    throw ErrataError.file("write", destination, errno)
  }
}

/// FICLONE of linux/fs.h.
private let ficlone: UInt = 0x4004_9409

/// Writes into parts of a file that is there.
final class FileRegionWriter {
  private let path: String
  private let descriptor: Int32

  init(path: String) throws {
    self.path = path
    var status = stat()
    guard stat(path, &status) == 0 else { throw ErrataError.file("open", path, errno) }
    var opened = open(path, O_WRONLY | O_CLOEXEC)
    var code = errno
    if opened < 0, code == EACCES, status.st_mode & 0o200 == 0 {
      // A checkpoint may be read-only, and its copy then is too.
      chmod(path, status.st_mode & 0o777 | 0o200)
      opened = open(path, O_WRONLY | O_CLOEXEC)
      code = errno
      chmod(path, status.st_mode & 0o777)
    }
    descriptor = opened
    guard descriptor >= 0 else { throw ErrataError.file("write", path, code) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  func write(_ bytes: [UInt8], at offset: Int) throws {
    try bytes.withUnsafeBytes { try write($0, at: offset) }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw ErrataError.file("write", path, errno)
      }
      done += count
    }
  }

  func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw ErrataError.file("write", path, errno) }
  }
}

func makeDirectory(_ path: String) throws {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    throw ErrataError.file("make", path, error.systemCode)
  }
}

func fileSize(_ path: String) throws -> Int {
  var status = stat()
  guard stat(path, &status) == 0 else { throw ErrataError.file("read", path, errno) }
  return Int(status.st_size)
}

func renameItem(_ source: String, to destination: String) throws {
  guard rename(source, destination) == 0 else { throw ErrataError.file("write", destination, errno) }
}

/// A new directory of a name that begins with `prefix`, as accessible as the directory `model`.
func makeTemporaryDirectory(prefix: String, like model: String) throws -> String {
  var template = Array("\(prefix).XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else {
    // Read at once: the next call may set it anew.
    let code = errno
    throw ErrataError.file("write to", parentDirectory(of: prefix), code)
  }
  let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  var status = stat()
  if stat(model, &status) == 0, chmod(path, status.st_mode & 0o777 | 0o700) != 0 {
    let code = errno
    // Another process may have taken it for abandoned already: whoever locks it will find out.
    if code == ENOENT { return path }
    rmdir(path)
    throw ErrataError.file("write to", parentDirectory(of: prefix), code)
  }
  return path
}

func parentDirectory(of path: String) -> String { URL(fileURLWithPath: path).deletingLastPathComponent().path }
