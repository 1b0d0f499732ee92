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

/// A file on its way to its copy, with its permissions; a symbolic link is followed.
final class FileCopy: Sendable {
  let byteCount: Int
  /// Whether all is there already: the copy shares the source's blocks, or is a second name for it.
  let isComplete: Bool
  private let source: String
  private let destination: String
  private let permissions: mode_t
  /// Both -1 for a second name.
  private let input: Int32
  private let output: Int32

  /// - Throws: an `ErrataError` if the source is not a regular file that can be read, or if the destination cannot be made.
  init(from source: String, to destination: String, mode: CopyMode) throws {
    self.source = source
    self.destination = destination
    var status = stat()
    if mode == .hardLink {
      guard let resolved = realpath(source, nil) else { throw ErrataError.file("open", source, errno) }
      defer { free(resolved) }
      guard link(resolved, destination) == 0 else { throw ErrataError.file("link", destination, errno) }
      guard stat(destination, &status) == 0 else { throw ErrataError.file("read", destination, errno) }
      (input, output, isComplete) = (-1, -1, true)
    } else {
      let input = open(source, O_RDONLY | O_CLOEXEC)
      guard input >= 0 else { throw ErrataError.file("open", source, errno) }
      var output: Int32 = -1
      do {
        guard fstat(input, &status) == 0 else { throw ErrataError.file("read", source, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ErrataError.notARegularFile(source) }
        output = open(destination, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw ErrataError.file("write", destination, errno) }
      } catch {
        close(input)
        throw error
      }
      (self.input, self.output) = (input, output)
      isComplete = ioctl(output, ficlone, input) == 0
    }
    byteCount = Int(status.st_size)
    permissions = status.st_mode & 0o777
  }

  deinit {
    if input >= 0 { close(input) }
    if output >= 0 { close(output) }
  }

  /// Copies the bytes in `range` to the same place.
  ///
  /// - Throws: an `ErrataError` if they cannot be read or written.
  func copy(_ range: Range<Int>) throws {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = errata_copy_range(input, output, off_t(position), range.upperBound - position)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw ErrataError.file("write", destination, errno) }
      guard count > 0 else { throw ErrataError.changedWhileCopied(source) }
      position += count
    }
  }

  /// Has the system begin to bring the copy's bytes in `range` to the disk.
  func startWriting(_ range: Range<Int>) {
    errata_start_writing(output, off_t(range.lowerBound), range.count)
  }

  /// Gives the copy its permissions; it is on disk when this returns.
  func finish() throws {
    guard output >= 0 else { return }
    guard fchmod(output, permissions) == 0, fsync(output) == 0 else {
      throw ErrataError.file("write", destination, errno)
    }
  }

  /// Copies all but the ranges in `exceptions`, which somebody else writes; the copy is on disk when this returns.
  ///
  /// - Parameter advance: is told now and then how many more bytes have come. May throw to stop.
  func run(except exceptions: [Range<Int>] = [], advance: (Int) throws -> Void = { _ in }) throws {
    if isComplete { try advance(byteCount) }
    for piece in pieces(except: exceptions) {
      try copy(piece)
      startWriting(piece)
      try advance(piece.count)
    }
    try finish()
  }

  /// What is to be copied besides the ranges in `exceptions`, which are in order and lie apart, in pieces.
  func pieces(except exceptions: [Range<Int>]) -> [Range<Int>] {
    if isComplete { return [] }
    let ends = [0] + exceptions.map(\.upperBound)
    let starts = exceptions.map(\.lowerBound) + [byteCount]
    return zip(ends, starts).flatMap { start, end in
      stride(from: start, to: end, by: Self.pieceLength).map { $0..<min($0 + Self.pieceLength, end) }
    }
  }

  private static let pieceLength = 32 << 20
}

/// Copies one file, following symbolic links, with its permissions; the copy is on disk when this returns.
func copyFile(from source: String, to destination: String, mode: CopyMode) throws {
  try FileCopy(from: source, to: destination, mode: mode).run()
}

/// FICLONE of linux/fs.h.
private let ficlone: UInt = 0x4004_9409

func makeDirectory(_ path: String) throws {
  do {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  } catch {
    throw ErrataError.file("make", path, error.systemCode)
  }
}

/// Makes an empty file; it is on disk when its directory is.
func makeFile(_ path: String) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
  guard descriptor >= 0 else { throw ErrataError.file("write", path, errno) }
  close(descriptor)
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
