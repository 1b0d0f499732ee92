import Foundation
import Tensors

/// Keeps a checkpoint from being changed in place while another process reads or changes it; released with this object,
/// or when the process ends.
///
/// It is an advisory lock (flock) on the directory, or on the bare file, and leaves nothing on disk.
final class CheckpointLock: Sendable {
  private let descriptor: Int32
  private let path: String

  /// - Throws: an `ErrataError` if another process holds a lock that excludes this one.
  init(path: String, isExclusive: Bool) throws {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    self.path = path
    guard descriptor >= 0 else { throw ErrataError.file("open", path, errno) }
    try acquire(isExclusive: isExclusive)
  }

  deinit { close(descriptor) }

  /// Changes the kind of lock.
  func acquire(isExclusive: Bool) throws {
    if flock(descriptor, (isExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 { return }
    // A file system without locks: then readers go unprotected, writers not at all.
    guard errno == EWOULDBLOCK || isExclusive else { return }
    throw errno == EWOULDBLOCK ? ErrataError.checkpointBusy(path) : ErrataError.file("lock", path, errno)
  }
}
