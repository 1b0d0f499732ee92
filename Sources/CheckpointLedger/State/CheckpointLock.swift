import Foundation
import Synchronization
import Tensors
import WeightPatch

/// Keeps a checkpoint from being changed in place while another process reads or changes it; released with this object,
/// or when the process ends.
///
/// It is an advisory lock (flock) on the directory, or on the bare file, and leaves nothing on disk.
final class CheckpointLock: Sendable {
  private let path: String
  private let files: Mutex<[LockedFile]>

  /// - Throws: an `ErrataError` if another process holds a lock that excludes this one.
  init(path: String, isExclusive: Bool) throws {
    self.path = path
    var file: LockedFile
    repeat {
      file = try LockedFile(path)
      try file.acquire(isExclusive: isExclusive, path)
      // A writer may have put another file in the place of a bare one before this one had the lock.
    } while !file.isAt(path)
    files = Mutex([file])
  }

  /// A lock on a directory that is reached through no link.
  ///
  /// - Throws: an `ErrataError` if another process holds a lock that excludes this one.
  init(directory: AnchoredPath, isExclusive: Bool) throws {
    path = directory.path
    let file = LockedFile(try directory.openDirectory())
    try file.acquire(isExclusive: isExclusive, path)
    files = Mutex([file])
  }

  /// Changes the kind of lock.
  func acquire(isExclusive: Bool) throws {
    for file in files.withLock({ $0 }) { try file.acquire(isExclusive: isExclusive, path) }
  }

  /// Has an exclusive lock hold also for a file that is about to take the path's name.
  func extend(to copy: AnchoredPath) throws {
    let file = LockedFile(try copy.open())
    try file.acquire(isExclusive: true, path)
    files.withLock { $0.append(file) }
  }
}

/// A file or directory that is open for its lock.
private final class LockedFile: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws {
    // O_NONBLOCK: opening a pipe would wait for a writer.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
  }

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// - Parameter path: for the error.
  func acquire(isExclusive: Bool, _ path: String) throws {
    if flock(descriptor, (isExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 { return }
    // A file system without locks: then readers go unprotected, writers not at all.
    guard errno == EWOULDBLOCK || isExclusive else { return }
    throw errno == EWOULDBLOCK ? ErrataError.checkpointBusy(path) : ErrataError.system("lock", path, errno)
  }

  func isAt(_ path: String) -> Bool {
    var (own, other) = (stat(), stat())
    return fstat(descriptor, &own) == 0 && stat(path, &other) == 0 && own.st_dev == other.st_dev
      && own.st_ino == other.st_ino
  }
}
