import CKernels
import Foundation

/// A file without a name, which only this process has: nothing is left of it when the process ends, however it ends. It
/// lies on disk, not in memory, as what it holds may be larger than that.
package final class UnnamedFile: OutputSink {
  package let path: String
  package let descriptor: Int32
  package private(set) var byteCount = 0

  /// - Parameters:
  ///   - folder: on whose file system it is made, if that can be written to; else it is made among temporary files.
  ///   - path: what messages call it.
  /// - Throws: an `ErrataError` if it cannot be made.
  package init(near folder: String? = nil, path: String) throws {
    self.path = path
    // Not /tmp first: that may be memory.
    let folders = [folder, ProcessInfo.processInfo.environment["TMPDIR"], "/var/tmp", "/tmp"].compactMap { $0 }
    var code: Int32 = 0
    for folder in folders {
      let file = errata_open_unlinked(folder)
      code = errno
      if file >= 0 {
        descriptor = file
        return
      }
      // Where nothing may be written, there is another place; a disk that is full or fails is to be known.
      guard [EACCES, EPERM, EROFS, ENOENT, ENOTDIR].contains(code) else { break }
    }
    throw ErrataError.system("copy", path, code)
  }

  deinit { close(descriptor) }

  /// Writes behind what was written so far.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(byteCount))
      if count < 0 {
        if errno == EINTR { continue }
        throw ErrataError.system("copy", path, errno)
      }
      byteCount += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// Nothing: it needs to outlive no crash.
  package func commit() {}

  /// What was written, which this object need not outlive.
  package func map() throws -> MappedFile { try MappedFile(descriptor: descriptor, path: path) }
}
