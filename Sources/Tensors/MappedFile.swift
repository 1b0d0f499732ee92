import Foundation

/// A whole file mapped into memory, read-only.
///
/// The mapping is private, but the kernel does not promise that a file that another process truncates stays readable: a
/// reader of a file that shrinks under it gets SIGBUS, as with every mapped reader. Errata's own writers replace files by
/// rename and never truncate one in place.
public final class MappedFile: @unchecked Sendable {
  public let path: String
  /// Valid as long as this object lives: the compiler may release it after its last use, so a function that works on the
  /// bytes alone holds it with `withExtendedLifetime`.
  public let bytes: UnsafeRawBufferPointer

  /// - Throws: an `ErrataError` that names the path, if the file cannot be opened or mapped or is not a regular file.
  public init(path: String) throws {
    // O_NONBLOCK: opening a pipe would wait for a writer. Regular files ignore it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ErrataError.system("read", path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ErrataError(.general, "\(path): is not a regular file")
    }
    self.path = path
    let count = Int(status.st_size)
    if count == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
      throw ErrataError.system("map", path, errno)
    }
    bytes = UnsafeRawBufferPointer(start: address, count: count)
  }

  deinit {
    if let address = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
  }
}
