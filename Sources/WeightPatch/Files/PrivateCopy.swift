import CKernels
import Foundation
import Tensors

/// A copy of a file that only this process has: an open file without a name, mapped. What is checked of it is what is
/// used of it, whatever becomes of the file itself in the meantime.
///
/// The copy lies on disk, not in memory, as a patch may be larger than that.
enum PrivateCopy {
  /// Copies a file, or what comes from a pipe.
  ///
  /// - Parameters:
  ///   - folder: on whose file system the copy is made, if that can be written to; else it is made among temporary
  ///     files.
  ///   - limit: the largest file, in bytes.
  ///   - check: takes the first bytes, before the rest is copied; may throw.
  /// - Throws: an `ErrataError` if the file cannot be read, is neither a regular file nor a pipe, or cannot be copied.
  static func map(
    path: String, near folder: String?, limit: Int, check: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> MappedFile {
    let isStream = InputStreams.isOne(path)
    // Of a pipe, its other side is waited for; a device that takes a pipe's name meanwhile is refused.
    let input = try isStream ? InputStreams.open(path) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard input >= 0 else { throw ErrataError.system("open", path, errno) }
    defer { close(input) }
    let name = path == "-" ? InputStreams.standardInput : path
    return try map(input, path: name, isStream: isStream, near: folder, limit: limit, check: check)
  }

  /// The same of a file that is open.
  ///
  /// - Parameters:
  ///   - path: what messages call it.
  ///   - isStream: whether it is read on from where it stands, whatever it is.
  static func map(
    _ input: Int32, path: String, isStream: Bool = false, near folder: String?, limit: Int,
    check: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> MappedFile {
    var status = stat()
    guard fstat(input, &status) == 0 else { throw ErrataError.system("read", path, errno) }
    let kind = status.st_mode & S_IFMT
    guard [S_IFREG, S_IFIFO, S_IFSOCK].contains(kind) else { throw ErrataError.neitherFileNorPipe(path) }
    let isRead = isStream || kind != S_IFREG
    let copy = try UnnamedFile(near: folder, path: path)
    var position = 0
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let isFirst = position == 0
      let count =
        isFirst || isRead
        ? try readFully(input, &buffer, path)
        : try retrying("copy", path) {
          errata_copy_range(input, copy.descriptor, off_t(position), min(32 << 20, limit))
        }
      if isFirst { try buffer.withUnsafeBytes { try check(UnsafeRawBufferPointer(rebasing: $0[..<count])) } }
      guard count > 0 else { break }
      if isFirst || isRead { try copy.write(buffer[..<count]) }
      position += count
      guard position <= limit else {
        throw ErrataError.overLimit(
          path, "the size of the file", found: max(position, Int(status.st_size)), limit: limit)
      }
    }
    return try copy.map()
  }

  /// Fills the buffer, but at the end of the file.
  private static func readFully(_ input: Int32, _ buffer: inout [UInt8], _ path: String) throws -> Int {
    var count = 0
    while count < buffer.count {
      let read = try buffer.withUnsafeMutableBytes { bytes in
        try retrying("read", path) { Foundation.read(input, bytes.baseAddress! + count, bytes.count - count) }
      }
      if read == 0 { break }
      count += read
    }
    return count
  }

  private static func retrying(_ verb: String, _ path: String, _ call: () -> Int) throws -> Int {
    while true {
      let result = call()
      if result >= 0 { return result }
      if errno != EINTR { throw ErrataError.system(verb, path, errno) }
    }
  }
}
