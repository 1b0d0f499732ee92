import Foundation

/// Tells one file from another, under whatever names.
package struct FileIdentity: Hashable, Sendable {
  private let device: dev_t
  private let number: ino_t

  package init(_ status: stat) { (device, number) = (status.st_dev, status.st_ino) }
}

/// A whole file mapped into memory, read-only.
///
/// The mapping is private, but the kernel does not promise that a file that another process truncates stays readable: a
/// reader of a file that shrinks under it gets SIGBUS, as with every mapped reader. Errata's own writers replace files
/// by rename and never truncate one in place.
public final class MappedFile: @unchecked Sendable {
  public let path: String
  /// Valid as long as this object lives: the compiler may release it after its last use, so a function that works on
  /// the bytes alone holds it with `withExtendedLifetime`.
  public let bytes: UnsafeRawBufferPointer

  /// Which file it is, whatever its name.
  package let identity: FileIdentity

  /// - Throws: an `ErrataError` that names the path, if the file cannot be opened or mapped or is not a regular file.
  public convenience init(path: String) throws {
    // O_NONBLOCK: opening a pipe would wait for a writer. Regular files ignore it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw ErrataError.system("open", path, errno) }
    defer { close(descriptor) }
    try self.init(descriptor: descriptor, path: path)
  }

  /// A file that is open, and may be closed afterwards.
  ///
  /// - Parameter path: what messages call it.
  package init(descriptor: Int32, path: String) throws {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw ErrataError.system("read", path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw ErrataError.notARegularFile(path) }
    self.path = path
    identity = FileIdentity(status)
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

  /// Lets go of the memory that holds a part of the file: who reads a long file from its beginning to its end need not
  /// have all of it in memory. The bytes stay valid, and are read again where they are touched again.
  ///
  /// - Parameter range: bytes of the file; whole pages of memory are let go, also those that it covers in part.
  public func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard let address = bytes.baseAddress, !range.isEmpty else { return }
    let start = range.lowerBound / page * page
    madvise(UnsafeMutableRawPointer(mutating: address + start), range.upperBound - start, MADV_DONTNEED)
  }

  /// Calls `body` with parts of `range`, in order, and releases each of them afterwards.
  public func forEachWindow(of range: Range<Int>, _ body: (Range<Int>) throws -> Void) rethrows {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.windowByteCount) {
      let window = start..<min(start + Self.windowByteCount, range.upperBound)
      try body(window)
      release(window)
    }
  }

  private static let windowByteCount = 4 << 20

  deinit {
    if let address = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
    }
  }
}
