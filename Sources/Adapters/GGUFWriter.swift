import Tensors

/// Writes a GGUF file, version 3: values and tensors in the order in which they come.
struct GGUFWriter {
  private var values: [UInt8] = []
  private var valueCount = 0
  private var descriptions: [UInt8] = []
  private var tensors: [[UInt8]] = []
  private var offset = 0

  /// - Parameter value: a text, a flag, or a number, which becomes a float32.
  mutating func append(_ key: String, _ value: GGUFFile.Value) {
    valueCount += 1
    Self.append(ByteString(key), to: &values)
    switch value {
    case .text(let text):
      Self.append(UInt32(8), to: &values)
      Self.append(text, to: &values)
    case .number(let number):
      Self.append(UInt32(6), to: &values)
      Self.append(Float(number).bitPattern, to: &values)
    case .flag(let flag):
      Self.append(UInt32(7), to: &values)
      Self.append(UInt8(flag ? 1 : 0), to: &values)
    case .array: preconditionFailure("arrays are not written")
    }
  }

  /// A matrix, whose columns vary fastest.
  mutating func append(_ name: String, _ matrix: Matrix<Float>, _ dtype: DType) {
    Self.append(ByteString(name), to: &descriptions)
    Self.append(UInt32(2), to: &descriptions)
    Self.append(UInt64(matrix.columns), to: &descriptions)
    Self.append(UInt64(matrix.rows), to: &descriptions)
    Self.append(GGUFFile.types.first { $0.value == dtype }!.key, to: &descriptions)
    Self.append(UInt64(offset), to: &descriptions)
    tensors.append(Self.padded(matrix.stored(as: dtype)))
    offset += tensors.last!.count
  }

  func write(to path: String) throws {
    var head = GGUFFile.magic
    Self.append(UInt32(3), to: &head)
    Self.append(UInt64(tensors.count), to: &head)
    Self.append(UInt64(valueCount), to: &head)
    let file = try AtomicFile(path: path)
    try file.write(Self.padded(head + values + descriptions))
    for tensor in tensors { try file.write(tensor) }
    try file.commit()
  }

  private static func append(_ integer: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: integer.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func append(_ text: ByteString, to bytes: inout [UInt8]) {
    append(UInt64(text.bytes.count), to: &bytes)
    bytes += text.bytes
  }

  private static func padded(_ bytes: [UInt8]) -> [UInt8] {
    let alignment = GGUFFile.alignment
    return bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
  }
}
