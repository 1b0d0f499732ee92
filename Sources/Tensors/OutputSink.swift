import Foundation

/// Takes the bytes of a result: a file that appears whole or not at all, or standard output.
package protocol OutputSink: AnyObject {
  /// What messages call it.
  var path: String { get }
  /// The number of bytes written so far.
  var byteCount: Int { get }
  func write(_ bytes: UnsafeRawBufferPointer) throws
  func commit() throws
}

extension OutputSink {
  package func write(_ bytes: some Sequence<UInt8>) throws { try Array(bytes).withUnsafeBytes { try write($0) } }
}

extension AtomicFile: OutputSink {}

/// Opens the place that a user names for a result: `-` is standard output.
///
/// - Throws: an `ErrataError` if it cannot be written to.
package func openOutput(_ path: String) throws -> any OutputSink {
  try path == "-" ? StandardOutput() : AtomicFile(path: path)
}

/// Standard output as the place of a result. What the program prints goes to standard error from then on, so that
/// nothing stands between the bytes.
package final class StandardOutput: OutputSink {
  package let path = "standard output"
  private let descriptor: Int32
  package private(set) var byteCount = 0

  /// - Throws: an `ErrataError` if it is closed.
  package init() throws {
    fflush(nil)
    descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    guard descriptor >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else {
      throw ErrataError.system("write", path, errno)
    }
  }

  deinit { close(descriptor) }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try writeAll(bytes, to: descriptor, path: path)
    byteCount += bytes.count
  }

  package func commit() throws {}
}

/// Writes all of the bytes where the descriptor stands, in as many calls as it takes.
///
/// - Parameter path: what messages call the file.
/// - Throws: an `ErrataError` if the system does not take them.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
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
