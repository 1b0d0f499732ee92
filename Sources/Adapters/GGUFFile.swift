import Tensors

/// A GGUF file (ggml, `docs/gguf.md`, version 3): keys with values, and tensors, as far as an adapter needs them.
struct GGUFFile {
  enum Value: Equatable {
    case text(ByteString)
    case number(Double)
    case flag(Bool)
    case array
  }

  struct Tensor {
    let name: String
    /// As ggml counts, the one that varies fastest first.
    let extents: [Int]
    let dtype: DType
    let range: Range<Int>
  }

  let path: String
  let values: [ByteString: Value]
  let tensors: [Tensor]
  private let file: MappedFile

  static let magic = Array("GGUF".utf8)
  static let alignment = 32
  /// Of values and of tensors; an adapter has a pair for each map.
  private static let mostEntries = 100_000
  private static let longestText = 1 << 20

  /// - Throws: an `ErrataError` if the file cannot be read, or is damaged.
  init(path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    self.file = file
    guard file.bytes.starts(with: Self.magic) else {
      throw ErrataError.recognized(path, file.bytes, wanted: "a GGUF adapter")
        ?? ErrataError.gguf(path, "it does not begin with GGUF")
    }
    var reader = GGUFReader(path: path, bytes: file.bytes, offset: 4)
    let version = try reader.integer(UInt32.self)
    guard (2...3).contains(version) else { throw ErrataError.gguf(path, "its version is \(version), not 2 or 3") }
    let tensorCount = try reader.count(limit: Self.mostEntries)
    let valueCount = try reader.count(limit: Self.mostEntries)
    var values: [ByteString: Value] = [:]
    for _ in 0..<valueCount {
      let key = try reader.text(limit: Self.longestText)
      let value = try reader.value(type: reader.integer(UInt32.self), limit: Self.longestText)
      guard values.updateValue(value, forKey: key) == nil else {
        throw ErrataError.gguf(path, "'\(key)' stands in it twice")
      }
    }
    self.values = values
    var declared: [(name: String, extents: [Int], type: UInt32, offset: Int)] = []
    for _ in 0..<tensorCount {
      let name = try reader.text(limit: Self.longestText).description
      let dimensions = try reader.integer(UInt32.self)
      guard (1...4).contains(dimensions) else { throw ErrataError.gguf(path, "'\(name)' has \(dimensions) dimensions") }
      let extents = try (0..<dimensions).map { _ in try reader.count(limit: 1 << 32) }
      declared.append((name, extents, try reader.integer(UInt32.self), try reader.count(limit: 1 << 60)))
    }
    var alignment = Self.alignment
    if case .number(let asked)? = values["general.alignment"] {
      guard asked >= 1, asked <= 65536 else { throw ErrataError.gguf(path, "its alignment is not possible") }
      alignment = Int(asked)
    }
    let start = (reader.offset + alignment - 1) / alignment * alignment
    tensors = try declared.map { name, extents, type, offset in
      guard let dtype = Self.types[type] else {
        throw ErrataError.gguf(path, "'\(name)' is quantized or of a type other than F32, F16 and BF16")
      }
      guard let count = Shape(extents).elementCount, let bytes = dtype.byteCount(elementCount: count),
        start <= file.bytes.count, offset <= file.bytes.count - start, bytes <= file.bytes.count - start - offset
      else { throw ErrataError.gguf(path, "it is cut off: '\(name)' lies outside of it") }
      return Tensor(name: name, extents: extents, dtype: dtype, range: start + offset..<start + offset + bytes)
    }
  }

  /// ggml's numbers of the types.
  static let types: [UInt32: DType] = [0: .f32, 1: .f16, 30: .bf16]

  /// Valid as long as this value is kept.
  func bytes(of tensor: Tensor) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[tensor.range]) }
}

/// Little-endian values, read within a file's bounds.
private struct GGUFReader {
  let path: String
  let bytes: UnsafeRawBufferPointer
  var offset: Int

  mutating func integer<Integer: FixedWidthInteger & BitwiseCopyable>(_ type: Integer.Type) throws -> Integer {
    let size = MemoryLayout<Integer>.size
    guard size <= bytes.count - offset else { throw ErrataError.gguf(path, "it is cut off") }
    defer { offset += size }
    return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }

  mutating func count(limit: Int) throws -> Int {
    let count = try integer(UInt64.self)
    guard count <= UInt64(limit) else { throw ErrataError.gguf(path, "it claims \(count) where \(limit) are possible") }
    return Int(count)
  }

  mutating func text(limit: Int) throws -> ByteString {
    let count = try count(limit: limit)
    guard count <= bytes.count - offset else { throw ErrataError.gguf(path, "it is cut off") }
    defer { offset += count }
    return ByteString(bytes[offset..<offset + count])
  }

  mutating func value(type: UInt32, limit: Int, depth: Int = 0) throws -> GGUFFile.Value {
    switch type {
    case 0: return .number(Double(try integer(UInt8.self)))
    case 1: return .number(Double(try integer(Int8.self)))
    case 2: return .number(Double(try integer(UInt16.self)))
    case 3: return .number(Double(try integer(Int16.self)))
    case 4: return .number(Double(try integer(UInt32.self)))
    case 5: return .number(Double(try integer(Int32.self)))
    case 6: return .number(Double(Float(bitPattern: try integer(UInt32.self))))
    case 7: return .flag(try integer(UInt8.self) != 0)
    case 8: return .text(try text(limit: limit))
    case 9:
      guard depth < 4 else { throw ErrataError.gguf(path, "its arrays are nested too deeply") }
      let element = try integer(UInt32.self)
      for _ in 0..<(try count(limit: bytes.count)) {
        _ = try value(type: element, limit: limit, depth: depth + 1)
      }
      return .array
    case 10: return .number(Double(try integer(UInt64.self)))
    case 11: return .number(Double(try integer(Int64.self)))
    case 12: return .number(Double(bitPattern: try integer(UInt64.self)))
    default: throw ErrataError.gguf(path, "a value has the unknown type \(type)")
    }
  }
}
