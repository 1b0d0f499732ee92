import Tensors
import WeightPatch

/// The file that leads from an edited tensor back to its base: one stream per chunk, and the digests of both ends
/// (Spec: undo record). Without the edited tensor and the patches it says nothing.
struct UndoRecord: Sendable {
  let dtype: DType
  let elementCount: Int
  /// The digest of the tensor that decoding gives.
  let baseDigest: Digest
  /// The digest of the tensor that it is decoded against.
  let currentDigest: Digest
  let chunks: Chunks
  private let file: MappedFile
  /// Where the streams' lengths stand, and the end.
  private let starts: [Int]

  static let magic = Array("errata undo\n".utf8)
  static let version: UInt32 = 1
  static let types: [DType] = [.bf16, .f16, .f32]
  static let headerLength = 12 + 4 + 4 + 4 + 8

  /// Reads the file's layout; the streams stay mapped.
  ///
  /// - Throws: an `ErrataError` (damaged input) for anything but a whole record.
  init(_ file: MappedFile) throws {
    let (bytes, path) = (file.bytes, file.path)
    guard bytes.count >= Self.headerLength + 64, bytes.prefix(12).elementsEqual(Self.magic) else {
      throw ErrataError.damagedUndoRecord(path, "it does not begin as one")
    }
    let version = bytes.littleEndian(at: 12, as: UInt32.self)
    guard version == Self.version else { throw ErrataError.undoRecordVersion(path, version) }
    let type = Int(bytes.littleEndian(at: 16, as: UInt32.self))
    let chunkLength = Int(bytes.littleEndian(at: 20, as: UInt32.self))
    guard type < Self.types.count, (1...Chunks.longest).contains(chunkLength),
      let elementCount = Int(exactly: bytes.littleEndian(at: 24, as: UInt64.self)), elementCount < 1 << 48
    else { throw ErrataError.damagedUndoRecord(path, "its header is out of range") }
    chunks = Chunks(elementCount: elementCount, chunkLength: chunkLength)
    let end = bytes.count - 64
    // Every stream has a length of four bytes: a count that the file cannot hold is not allocated for.
    guard chunks.count <= (end - Self.headerLength) / 4 else {
      throw ErrataError.damagedUndoRecord(path, "it is cut off")
    }
    var starts = [Self.headerLength]
    starts.reserveCapacity(chunks.count + 1)
    var position = Self.headerLength
    for _ in 0..<chunks.count {
      guard position + 4 <= end else { throw ErrataError.damagedUndoRecord(path, "it is cut off") }
      position += 4 + Int(bytes.littleEndian(at: position, as: UInt32.self))
      guard position <= end else { throw ErrataError.damagedUndoRecord(path, "it is cut off") }
      starts.append(position)
    }
    guard position == end else { throw ErrataError.damagedUndoRecord(path, "it is longer than its streams") }
    dtype = Self.types[type]
    self.elementCount = elementCount
    baseDigest = Digest(bytes: Array(bytes[end..<end + 32]))
    currentDigest = Digest(bytes: Array(bytes[end + 32..<end + 64]))
    self.file = file
    self.starts = starts
  }

  /// The stream of chunk `index`.
  func stream(_ index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[starts[index] + 4..<starts[index + 1]])
  }

  /// For messages.
  var path: String { file.path }
}

/// Writes an undo record as its chunks come, to a ledger that is not in use yet: who makes that brings it to the disk.
struct UndoRecordWriter {
  private let file: FileRegionWriter
  private var buffer: [UInt8]
  /// Of what was written.
  private var byteCount = 0
  private static let bufferSize = 1 << 20

  init(_ path: AnchoredPath, dtype: DType, chunks: Chunks) throws {
    file = try FileRegionWriter(new: path)
    buffer = UndoRecord.magic
    append(UndoRecord.version)
    append(UInt32(UndoRecord.types.firstIndex(of: dtype)!))
    append(UInt32(chunks.chunkLength))
    append(UInt64(chunks.elementCount))
  }

  /// Appends the stream of the next chunk.
  mutating func append(_ stream: [UInt8]) throws {
    append(UInt32(stream.count))
    buffer += stream
    if buffer.count >= Self.bufferSize { try flush() }
  }

  mutating func finish(base: Digest, current: Digest) throws {
    buffer += base.bytes + current.bytes
    try flush()
  }

  private mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) }
  }

  private mutating func flush() throws {
    try file.write(buffer, at: byteCount)
    byteCount += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type)
    -> Value
  {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
