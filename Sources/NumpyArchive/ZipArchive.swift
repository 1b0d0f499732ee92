import CZlib
import Tensors

/// The entries of a zip archive, stored or deflated, also in zip64 (PKWARE APPNOTE 6.3): as much as `.npz` files need.
struct ZipArchive: Sendable {
  private struct Entry: Sendable {
    let name: ByteString
    let flags: Int
    let method: Int
    let checksum: UInt32
    let compressedCount: Int
    let count: Int
    let headerOffset: Int
  }

  /// A `.npz` of second moments has five, one of weight deltas two for each layer.
  private static let maximumEntryCount = 1000
  let path: String
  private let file: MappedFile
  private let entries: [Entry]

  var names: [ByteString] { entries.map(\.name) }

  /// - Throws: an `ErrataError` if the file cannot be read or is no zip archive.
  init(path: String) throws {
    self.path = path
    file = try MappedFile(path: path)
    let bytes = ZipBytes(path: path, bytes: file.bytes)
    let directory = try Self.directory(bytes)
    var entries: [Entry] = []
    var offset = directory.lowerBound
    while offset < directory.upperBound {
      guard try bytes.integer(offset, 4) == 0x0201_4B50 else {
        throw ErrataError.notNumpyArchive(path, "its directory is damaged")
      }
      let nameCount = try bytes.integer(offset + 28, 2)
      let extraCount = try bytes.integer(offset + 30, 2)
      let end = offset + 46 + nameCount + extraCount + (try bytes.integer(offset + 32, 2))
      guard entries.count < Self.maximumEntryCount else {
        throw ErrataError.notNumpyArchive(path, "it has more than \(Self.maximumEntryCount) entries")
      }
      guard end <= directory.upperBound else { throw ErrataError.notNumpyArchive(path, "its directory is cut off") }
      let extra = offset + 46 + nameCount..<offset + 46 + nameCount + extraCount
      // In this order, and only those that do not fit their field, stand again in the zip64 extra field.
      var wide = try Self.wideIntegers(bytes, extra)[...]
      func field(_ at: Int) throws -> Int {
        let value = try bytes.integer(at, 4)
        guard value == 0xFFFF_FFFF else { return value }
        guard let wideValue = wide.popFirst() else { throw ErrataError.notNumpyArchive(path, "a size is missing") }
        return wideValue
      }
      let count = try field(offset + 24)
      let compressedCount = try field(offset + 20)
      entries.append(
        Entry(
          name: ByteString(try bytes.slice(offset + 46, nameCount)), flags: try bytes.integer(offset + 8, 2),
          method: try bytes.integer(offset + 10, 2), checksum: UInt32(try bytes.integer(offset + 16, 4)),
          compressedCount: compressedCount, count: count, headerOffset: try field(offset + 42)))
      offset = end
    }
    self.entries = entries
  }

  /// Calls `body` with the bytes of an entry, after its checksum was found right.
  ///
  /// - Parameter maximumCount: a longer entry is an error.
  /// - Throws: an `ErrataError`; nil if there is no such entry.
  func withEntry<Result>(
    _ name: ByteString, maximumCount: Int, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    guard let entry = entries.first(where: { $0.name == name }) else { return nil }
    let bytes = ZipBytes(path: path, bytes: file.bytes)
    guard entry.flags & 1 == 0 else { throw ErrataError.notNumpyArchive(path, "'\(name)' is encrypted") }
    guard entry.count <= maximumCount else {
      throw ErrataError.notNumpyArchive(
        path, "'\(name)' has \(entry.count) bytes, more than the model's size allows (\(maximumCount))")
    }
    guard try bytes.integer(entry.headerOffset, 4) == 0x0403_4B50 else {
      throw ErrataError.notNumpyArchive(path, "'\(name)' is not where the directory says")
    }
    let start =
      entry.headerOffset + 30 + (try bytes.integer(entry.headerOffset + 26, 2))
      + (try bytes.integer(entry.headerOffset + 28, 2))
    let stored = try bytes.slice(start, entry.compressedCount)
    func checked(_ content: UnsafeRawBufferPointer) throws -> Result {
      guard crc32_z(0, content.baseAddress, content.count) == UInt(entry.checksum) else {
        throw ErrataError.notNumpyArchive(path, "the checksum of '\(name)' does not hold")
      }
      return try body(content)
    }
    switch entry.method {
    case 0:
      guard entry.compressedCount == entry.count else {
        throw ErrataError.notNumpyArchive(path, "'\(name)' has two different lengths")
      }
      return try checked(stored)
    case 8:
      // Deflate saves at most a factor of 1032, so a claim of more is not worth the memory.
      guard entry.count <= 1032 * (stored.count + 1) else {
        throw ErrataError.notNumpyArchive(path, "'\(name)': its length is not possible")
      }
      do {
        return try inflate(stored, count: entry.count).withUnsafeBytes(checked)
      } catch let error as InflateError {
        throw ErrataError.notNumpyArchive(path, "'\(name)' cannot be decompressed: \(error.reason)")
      }
    default:
      throw ErrataError.notNumpyArchive(path, "'\(name)' is compressed in a way other than deflate")
    }
  }

  /// Where the central directory is, said by the record at the file's end.
  private static func directory(_ bytes: ZipBytes) throws -> Range<Int> {
    let count = bytes.bytes.count
    let candidates = stride(from: count - 22, through: max(0, count - 22 - 0xFFFF), by: -1)
    // The record is followed by a comment, of the length that it says.
    guard
      let end = try candidates.first(where: {
        try bytes.integer($0, 4) == 0x0605_4B50 && (try bytes.integer($0 + 20, 2)) == count - $0 - 22
      })
    else { throw ErrataError.notNumpyArchive(bytes.path, "it is no zip archive, or cut off") }
    var size = try bytes.integer(end + 12, 4)
    var offset = try bytes.integer(end + 16, 4)
    if end >= 20, try bytes.integer(end - 20, 4) == 0x0706_4B50 {
      let wide = try bytes.integer(end - 12, 8)
      guard try bytes.integer(wide, 4) == 0x0606_4B50 else {
        throw ErrataError.notNumpyArchive(bytes.path, "its end is damaged")
      }
      size = try bytes.integer(wide + 40, 8)
      offset = try bytes.integer(wide + 48, 8)
    }
    guard offset <= end, size <= end - offset else {
      throw ErrataError.notNumpyArchive(bytes.path, "its directory lies outside the file")
    }
    return offset..<offset + size
  }

  /// The numbers of the zip64 field (id 1) among an entry's extra fields.
  private static func wideIntegers(_ bytes: ZipBytes, _ extra: Range<Int>) throws -> [Int] {
    var offset = extra.lowerBound
    while offset + 4 <= extra.upperBound {
      let count = try bytes.integer(offset + 2, 2)
      guard count <= extra.upperBound - offset - 4 else { break }
      if try bytes.integer(offset, 2) == 1 {
        return try stride(from: 0, to: min(count, 24) / 8 * 8, by: 8).map { try bytes.integer(offset + 4 + $0, 8) }
      }
      offset += 4 + count
    }
    return []
  }
}

/// Little-endian numbers in a file, read within its bounds.
private struct ZipBytes {
  let path: String
  let bytes: UnsafeRawBufferPointer

  /// - Parameter count: 1 to 8 bytes.
  func integer(_ offset: Int, _ count: Int) throws -> Int {
    let value = try slice(offset, count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    // No offset or size that is of use exceeds this, and sums of a few do not overflow.
    guard value < 1 << 60 else { throw ErrataError.notNumpyArchive(path, "a size is not possible") }
    return Int(value)
  }

  func slice(_ offset: Int, _ count: Int) throws -> UnsafeRawBufferPointer {
    guard offset >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      throw ErrataError.notNumpyArchive(path, "it is cut off")
    }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }
}
