import CKernels
import Foundation
import Tensors
import WeightPatch

/// How files that do not change get to the output.
public enum CopyMode: Sendable {
  /// Shares the blocks where the file system can (FICLONE), else copies.
  case clone
  /// A second name for the same file: no space, but whoever changes one in place changes both.
  case hardLink
}

/// A file on its way to its copy, with its permissions.
final class FileCopy: Sendable {
  let byteCount: Int
  /// Whether all is there already: the copy shares the source's blocks, or is a second name for it.
  let isComplete: Bool
  private let source: String
  private let destination: String
  private let permissions: mode_t
  private let input: Int32
  /// -1 for a second name.
  private let output: Int32

  /// - Parameters:
  ///   - source: a symbolic link is followed.
  ///   - identity: which file it must be, whatever took its name meanwhile.
  /// - Throws: an `ErrataError` if the source is not a regular file that can be read, or if the destination cannot be
  ///   made.
  convenience init(from source: String, identity: FileIdentity? = nil, to destination: AnchoredPath, mode: CopyMode)
    throws
  {
    let input = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard input >= 0 else { throw ErrataError.system("open", source, errno) }
    try self.init(input, source, identity, to: destination, mode: mode)
  }

  /// A copy of a file of a ledger.
  convenience init(from source: AnchoredPath, to destination: AnchoredPath) throws {
    try self.init(source.open(), source.path, nil, to: destination, mode: .clone)
  }

  /// - Parameter input: the open source, which is closed with the copy.
  private init(
    _ input: Int32, _ source: String, _ identity: FileIdentity?, to destination: AnchoredPath, mode: CopyMode
  ) throws {
    var status = stat()
    var output: Int32 = -1
    do {
      guard fstat(input, &status) == 0 else { throw ErrataError.system("read", source, errno) }
      guard status.st_mode & S_IFMT == S_IFREG else { throw ErrataError.notARegularFile(source) }
      if let identity, FileIdentity(status) != identity { throw ErrataError.replacedMeanwhile(source) }
      switch mode {
      case .hardLink: try destination.link(to: input)
      case .clone: output = try destination.open(O_WRONLY | O_CREAT | O_EXCL, "write")
      }
    } catch {
      close(input)
      throw error
    }
    self.source = source
    self.destination = destination.path
    (self.input, self.output) = (input, output)
    isComplete = output < 0 || ioctl(output, ficlone, input) == 0
    byteCount = Int(status.st_size)
    permissions = status.st_mode & 0o777
  }

  deinit {
    if input >= 0 { close(input) }
    if output >= 0 { close(output) }
  }

  /// Copies the bytes in `range` to the same place.
  ///
  /// - Throws: an `ErrataError` if they cannot be read or written.
  func copy(_ range: Range<Int>) throws {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = errata_copy_range(input, output, off_t(position), range.upperBound - position)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw ErrataError.system("write", destination, errno) }
      guard count > 0 else { throw ErrataError.changedWhileCopied(source) }
      position += count
    }
  }

  /// Has the system begin to bring the copy's bytes in `range` to the disk.
  func startWriting(_ range: Range<Int>) {
    errata_start_writing(output, off_t(range.lowerBound), range.count)
  }

  /// Gives the copy its permissions; it is on disk when this returns.
  func finish() throws {
    guard output >= 0 else { return }
    try setPermissions()
    guard fsync(output) == 0 else { throw ErrataError.system("write", destination, errno) }
  }

  private func setPermissions() throws {
    guard fchmod(output, permissions) == 0 else { throw ErrataError.system("write", destination, errno) }
  }

  /// Copies everything, and leaves it to others to bring it to the disk.
  func runUnsynchronized() throws {
    for piece in pieces(except: []) { try copy(piece) }
    try setPermissions()
  }

  /// Copies all but the ranges in `exceptions`, which somebody else writes; the copy is on disk when this returns.
  ///
  /// - Parameter advance: is told now and then how many more bytes have come. May throw to stop.
  func run(except exceptions: [Range<Int>] = [], advance: (Int) throws -> Void = { _ in }) throws {
    if isComplete { try advance(byteCount) }
    for piece in pieces(except: exceptions) {
      try copy(piece)
      startWriting(piece)
      try advance(piece.count)
    }
    try finish()
  }

  /// What is to be copied besides the ranges in `exceptions`, which are in order and lie apart, in pieces.
  func pieces(except exceptions: [Range<Int>]) -> [Range<Int>] {
    if isComplete { return [] }
    let ends = [0] + exceptions.map(\.upperBound)
    let starts = exceptions.map(\.lowerBound) + [byteCount]
    return zip(ends, starts).flatMap { start, end in
      stride(from: start, to: end, by: Self.pieceLength).map { $0..<min($0 + Self.pieceLength, end) }
    }
  }

  private static let pieceLength = 32 << 20
}

/// FICLONE of linux/fs.h.
private let ficlone: UInt = 0x4004_9409

func fileSize(_ path: String) throws -> Int {
  var status = stat()
  guard stat(path, &status) == 0 else { throw ErrataError.system("read", path, errno) }
  return Int(status.st_size)
}
