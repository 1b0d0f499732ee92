import Tensors

/// The header of a safetensors file: an 8-byte little-endian length, then that many bytes of JSON.
///
/// Every header in memory has passed the checks of the reference implementation (huggingface/safetensors, tensor.rs):
/// known dtypes, no duplicate names, byte sizes that equal shape times dtype, and tensors that cover the data from its
/// first byte without hole or overlap. `checkFileByteCount` adds the last one: the file ends where the tensors do.
///
/// Complexity: time and memory are linear in the size of the header; lookup by name is O(1).
public struct SafetensorsHeader: Sendable {
  /// The largest JSON text allowed, as in the reference implementation.
  public static let maximumByteCount = 100_000_000
  static let lengthFieldByteCount = 8
  /// The most JSON values allowed, some 75,000 tensors: parsed, they take far more memory than their text.
  static let maximumValueCount = 600_000

  /// The bytes as they stand in the file, the length field included, so that a file can be rewritten with the same
  /// ones.
  public let bytes: [UInt8]
  /// In the order of the data; empty tensors come before others that begin at the same byte.
  public let tensors: [TensorInfo]
  /// `__metadata__`, empty if there is none.
  public let metadata: [ByteString: ByteString]
  private let positions: [ByteString: Int]

  /// The size of the file that begins with this header.
  public var fileByteCount: Int { tensors.last?.fileRange.upperBound ?? bytes.count }

  public subscript(name: ByteString) -> TensorInfo? { positions[name].map { tensors[$0] } }

  init(bytes: [UInt8], tensors: [TensorInfo], metadata: [ByteString: ByteString]) {
    self.bytes = bytes
    self.tensors = tensors
    self.metadata = metadata
    positions = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// The number of bytes of the whole header, the length field included, from the first bytes of a file.
  ///
  /// - Parameter source: the file's path, for messages.
  /// - Throws: an `ErrataError` if there are fewer than 8 bytes or the length is above `maximumByteCount`.
  public static func byteCount(startingWith prefix: UnsafeRawBufferPointer, source: String) throws -> Int {
    guard prefix.count >= lengthFieldByteCount else { throw ErrataError.tooShort(source, byteCount: prefix.count) }
    let length = UInt64(littleEndian: prefix.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(maximumByteCount) else { throw ErrataError.headerTooLarge(source, byteCount: length) }
    return lengthFieldByteCount + Int(length)
  }

  /// Parses the header at the start of a whole file.
  ///
  /// - Parameter source: the file's path, for messages.
  /// - Throws: an `ErrataError` of category `damagedInput` that says what is wrong.
  public init(file: UnsafeRawBufferPointer, source: String) throws {
    let count = try Self.byteCount(startingWith: file, source: source)
    guard count <= file.count else {
      throw ErrataError.headerTruncated(source, expected: count, found: file.count)
    }
    try self.init(bytes: Array(file[..<count]), source: source)
    try checkFileByteCount(file.count, source: source)
  }

  /// Parses a header that stands alone.
  ///
  /// - Parameters:
  ///   - bytes: the length field and exactly as much JSON as it says.
  ///   - source: the file's path, for messages.
  /// - Throws: an `ErrataError` of category `damagedInput` that says what is wrong.
  public init(bytes: [UInt8], source: String) throws {
    let count = try bytes.withUnsafeBytes { try Self.byteCount(startingWith: $0, source: source) }
    guard count == bytes.count else {
      throw ErrataError.headerTruncated(source, expected: count, found: bytes.count)
    }
    guard count > Self.lengthFieldByteCount, bytes[Self.lengthFieldByteCount] == UInt8(ascii: "{") else {
      throw ErrataError.headerNotAnObject(source)
    }
    let members = try Self.parseJSON(bytes, source: source)
    var metadata: [ByteString: ByteString] = [:]
    var tensors: [TensorInfo] = []
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, source: source)
      } else {
        tensors.append(try Self.tensor(name, value, headerByteCount: count, source: source))
      }
    }
    tensors.sort { ($0.fileRange.lowerBound, $0.byteCount) < ($1.fileRange.lowerBound, $1.byteCount) }
    try Self.checkContiguous(tensors, headerByteCount: count, source: source)
    self.init(bytes: bytes, tensors: tensors, metadata: metadata)
  }

  /// - Throws: an `ErrataError` if a file of `count` bytes does not end with the last tensor.
  public func checkFileByteCount(_ count: Int, source: String) throws {
    guard count == fileByteCount else {
      throw ErrataError.fileSizeDiffers(source, expected: fileByteCount, found: count)
    }
  }
}

// MARK: - Parts of the header

extension SafetensorsHeader {
  private static func parseJSON(_ bytes: [UInt8], source: String) throws -> [(key: ByteString, value: JSON)] {
    do {
      let parsed = try bytes.withUnsafeBytes {
        try JSON.parse(
          UnsafeRawBufferPointer(rebasing: $0[lengthFieldByteCount...]), maximumValueCount: maximumValueCount)
      }
      return parsed.objectValue?.members ?? []
    } catch let error as JSONSyntaxError {
      throw ErrataError.headerNotJSON(source, error)
    }
  }

  private static func metadata(_ value: JSON, source: String) throws -> [ByteString: ByteString] {
    guard let members = value.objectValue?.members else { throw ErrataError.metadataNotStrings(source) }
    var result: [ByteString: ByteString] = [:]
    for (key, value) in members {
      guard let text = value.bytesValue else { throw ErrataError.metadataNotStrings(source) }
      result[key] = text
    }
    return result
  }

  private static func tensor(
    _ name: ByteString, _ value: JSON, headerByteCount: Int, source: String
  ) throws -> TensorInfo {
    func wrong(_ field: String, _ expected: String) -> ErrataError {
      .tensorField(source, name, field, expected: expected)
    }
    guard value.objectValue != nil else { throw wrong("its entry", "an object") }
    guard let dtypeName = value["dtype"]?.stringValue else { throw wrong("dtype", "a string") }
    guard let dtype = DType(rawValue: dtypeName) else { throw ErrataError.unknownDType(source, name, dtypeName) }
    guard let extents = value["shape"]?.arrayValue?.map(\.integerValue), extents.allSatisfy({ $0 ?? -1 >= 0 }) else {
      throw wrong("shape", "an array of sizes")
    }
    let shape = Shape(extents.compactMap(\.self))
    guard let offsets = value["data_offsets"]?.arrayValue?.map(\.integerValue), offsets.count == 2,
      let begin = offsets[0], let end = offsets[1], 0 <= begin, begin <= end, end <= Int.max - headerByteCount
    else { throw wrong("data_offsets", "a pair [begin, end] with begin <= end") }
    guard let count = shape.elementCount, let byteCount = dtype.byteCount(elementCount: count) else {
      throw ErrataError.tensorTooLarge(source, name, dtype, shape)
    }
    guard end - begin == byteCount else {
      throw ErrataError.tensorSizeDiffers(source, name, expected: byteCount, found: end - begin)
    }
    return TensorInfo(
      name: name, dtype: dtype, shape: shape, fileRange: headerByteCount + begin..<headerByteCount + end)
  }

  private static func checkContiguous(_ tensors: [TensorInfo], headerByteCount: Int, source: String) throws {
    var end = headerByteCount
    for tensor in tensors {
      guard tensor.fileRange.lowerBound == end else {
        throw ErrataError.tensorNotContiguous(
          source, tensor.name, expected: end - headerByteCount, found: tensor.fileRange.lowerBound - headerByteCount)
      }
      end = tensor.fileRange.upperBound
    }
  }
}
