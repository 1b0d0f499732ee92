import CKernels
import Foundation
import Tensors

/// Writes into parts of a file.
package final class FileRegionWriter: Sendable {
  private let path: String
  private let descriptor: Int32

  /// A file that is there.
  ///
  /// - Parameter identity: which file it must be, whatever took its name meanwhile.
  package init(_ path: AnchoredPath, identity: FileIdentity? = nil) throws {
    self.path = path.path
    guard let status = try path.status() else { throw ErrataError.system("open", path.path, ENOENT) }
    // A checkpoint may be read-only, and its copy then is too.
    let isReadOnly = status.st_mode & 0o200 == 0
    descriptor = isReadOnly ? try Self.openReadOnly(path, status.st_mode) : try path.open(O_WRONLY, "write")
    var found = stat()
    if let identity, fstat(descriptor, &found) != 0 || FileIdentity(found) != identity {
      throw ErrataError.replacedMeanwhile(path.path)
    }
  }

  /// A file that is not there yet.
  package init(new path: AnchoredPath) throws {
    self.path = path.path
    descriptor = try path.open(O_WRONLY | O_CREAT | O_EXCL, "write")
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  private static func openReadOnly(_ path: AnchoredPath, _ mode: mode_t) throws -> Int32 {
    // Who may write to everything needs no permission.
    if let opened = try? path.open(O_WRONLY, "write") { return opened }
    let reading = try path.open()
    defer { close(reading) }
    fchmod(reading, mode & 0o777 | 0o200)
    defer { fchmod(reading, mode & 0o777) }
    return try path.open(O_WRONLY, "write")
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws {
    try bytes.withUnsafeBytes { try write($0, at: offset) }
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw ErrataError.system("write", path, errno)
      }
      done += count
    }
  }

  /// Has the system begin to bring what was written in `range` to the disk.
  package func startWriting(_ range: Range<Int>) {
    errata_start_writing(descriptor, off_t(range.lowerBound), range.count)
  }

  package func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw ErrataError.system("write", path, errno) }
  }
}

extension [AnchoredPath] {
  /// Brings files to the disk: few by themselves, many with all that is on their file system, which takes one wait and
  /// not one for each.
  package func synchronizeFiles() throws {
    guard let first else { return }
    let isMany = count > 16
    for path in isMany ? [first] : self {
      let descriptor = try path.open()
      defer { close(descriptor) }
      guard (isMany ? errata_synchronize_file_system(descriptor) : fsync(descriptor)) == 0 else {
        throw ErrataError.system("write", path.path, errno)
      }
    }
  }
}
