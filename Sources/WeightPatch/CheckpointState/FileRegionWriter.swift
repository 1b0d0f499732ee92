import CKernels
import Foundation
import Tensors

/// Writes into parts of a file that is there.
final class FileRegionWriter: Sendable {
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

  /// Has the system begin to bring what was written in `range` to the disk.
  func startWriting(_ range: Range<Int>) {
    errata_start_writing(descriptor, off_t(range.lowerBound), range.count)
  }

  func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw ErrataError.file("write", path, errno) }
  }
}
