import Tensors

/// The file that leads from an edited tensor back to its base: one stream per chunk, and the digests of both ends
/// (Spec: undo record). Without the edited tensor and the patches it says nothing.
public struct UndoRecord: Sendable {
  public let dtype: DType
  public let elementCount: Int
  /// The digest of the tensor that decoding gives.
  public let baseDigest: Digest
  /// The digest of the tensor that it is decoded against.
  public let currentDigest: Digest
  let chunks: Chunks
  private let file: MappedFile
  private let streams: [Range<Int>]

  static let magic = Array("errata undo\n".utf8)
  static let version: UInt32 = 1
  static let types: [DType] = [.bf16, .f16, .f32]
  static let headerLength = 12 + 4 + 4 + 4 + 8

  /// Reads the file's layout; the streams stay mapped.
  ///
  /// - Throws: an `ErrataError` (damaged input) for anything but a whole record.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    let bytes = file.bytes
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
    var streams: [Range<Int>] = []
    var position = Self.headerLength
    for _ in 0..<chunks.count {
      guard position + 4 <= end else { throw ErrataError.damagedUndoRecord(path, "it is cut off") }
      let start = position + 4
      position = start + Int(bytes.littleEndian(at: position, as: UInt32.self))
      guard position <= end else { throw ErrataError.damagedUndoRecord(path, "it is cut off") }
      streams.append(start..<position)
    }
    guard position == end else { throw ErrataError.damagedUndoRecord(path, "it is longer than its streams") }
    dtype = Self.types[type]
    self.elementCount = elementCount
    baseDigest = Digest(bytes: Array(bytes[end..<end + 32]))
    currentDigest = Digest(bytes: Array(bytes[end + 32..<end + 64]))
    self.file = file
    self.streams = streams
  }

  /// The stream of chunk `index`.
  func stream(_ index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[streams[index]])
  }

  /// For messages.
  var path: String { file.path }
}

/// Writes an undo record as its chunks come.
struct UndoRecordWriter {
  private let file: AtomicFile

  init(path: String, dtype: DType, chunks: Chunks) throws {
    file = try AtomicFile(path: path)
    try file.write(UndoRecord.magic)
    try file.write(littleEndian: UndoRecord.version)
    try file.write(littleEndian: UInt32(UndoRecord.types.firstIndex(of: dtype)!))
    try file.write(littleEndian: UInt32(chunks.chunkLength))
    try file.write(littleEndian: UInt64(chunks.elementCount))
  }

  /// Appends the stream of the next chunk.
  func append(_ stream: [UInt8]) throws {
    try file.write(littleEndian: UInt32(stream.count))
    try file.write(stream)
  }

  func commit(base: Digest, current: Digest) throws {
    try file.write(base.bytes)
    try file.write(current.bytes)
    try file.commit()
  }
}

extension AtomicFile {
  fileprivate func write(littleEndian value: some FixedWidthInteger) throws {
    try withUnsafeBytes(of: value.littleEndian) { try write($0) }
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type)
    -> Value
  {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}
