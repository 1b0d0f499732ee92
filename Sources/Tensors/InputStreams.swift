import Foundation
import Synchronization

/// Inputs that are read to their end and cannot be read twice: standard input, which users call `-`, and pipes.
package enum InputStreams {
  /// What messages call standard input.
  package static let standardInput = "standard input"

  /// Whether a path that a user names is one of them.
  package static func isOne(_ path: String) -> Bool {
    var status = stat()
    return path == "-" || stat(path, &status) == 0 && [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT)
  }

  private static let isStandardInputTaken = Mutex(false)

  /// Opens the stream of a path for which `isOne`.
  ///
  /// - Throws: an `ErrataError` if it cannot be opened, or (usage) if standard input was named before.
  package static func open(_ path: String) throws -> Int32 {
    if path == "-" {
      let wasTaken = isStandardInputTaken.withLock { isTaken in
        defer { isTaken = true }
        return isTaken
      }
      guard !wasTaken else { throw ErrataError.standardInputTwice }
    }
    let descriptor = path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : Foundation.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ErrataError.system("open", path == "-" ? standardInput : path, errno) }
    return descriptor
  }
}

extension MappedFile {
  /// Opens a file that a user names. What comes from a stream is read into a file without a name first.
  ///
  /// - Parameter limit: the most bytes that are read from a stream.
  /// - Throws: as `init(path:)`; also if a stream is longer, or if there is no room for it.
  package convenience init(input path: String, limit: Int) throws {
    guard InputStreams.isOne(path) else {
      try self.init(path: path)
      return
    }
    let name = path == "-" ? InputStreams.standardInput : path
    let input = try InputStreams.open(path)
    defer { close(input) }
    let copy = try UnnamedFile(path: name)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(input, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw ErrataError.system("read", name, errno) }
      if count == 0 { break }
      guard copy.byteCount + count <= limit else { throw ErrataError.streamTooLong(name, limit) }
      try copy.write(buffer[..<count])
    }
    try self.init(descriptor: copy.descriptor, path: name)
  }
}
