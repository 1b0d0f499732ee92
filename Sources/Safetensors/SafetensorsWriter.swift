import Tensors

/// Writes a safetensors file, streaming: the tensors are declared first, and their bytes follow in the order of
/// `header.tensors`. The file appears under its name only when it is complete.
///
///     let writer = try SafetensorsWriter(path: path, tensors: [TensorDeclaration(name: "a", dtype: .f32, shape: [2,
///     3])]) for tensor in writer.header.tensors { try writer.write(bytes(tensor.name), of: tensor.name) }
///     try writer.commit()
public final class SafetensorsWriter {
  public let header: SafetensorsHeader
  private let file: AtomicFile
  /// The tensor that is being written, and how many of its bytes are.
  private var position = 0
  private var written = 0

  /// - Throws: an `ErrataError` for declarations that make no file (a name twice), or if the file cannot be made.
  public init(path: String, tensors: [TensorDeclaration], metadata: [ByteString: ByteString] = [:]) throws {
    header = try SafetensorsHeader(declaring: tensors, metadata: metadata, source: path)
    file = try AtomicFile(path: path)
    try file.write(header.bytes)
  }

  /// Appends bytes of the tensor `name`, all of them or a piece.
  ///
  /// - Precondition: the tensors before it are complete, and it does not become longer than declared.
  public func write(_ bytes: UnsafeRawBufferPointer, of name: ByteString) throws {
    skipComplete()
    if bytes.isEmpty { return }
    precondition(position < header.tensors.count && header.tensors[position].name == name, "tensors out of order")
    precondition(bytes.count <= header.tensors[position].byteCount - written, "more bytes than declared")
    try file.write(bytes)
    written += bytes.count
  }

  public func write(_ bytes: [UInt8], of name: ByteString) throws {
    try bytes.withUnsafeBytes { try write($0, of: name) }
  }

  /// Flushes the file to disk and gives it its name.
  ///
  /// - Precondition: every tensor is complete.
  public func commit() throws {
    skipComplete()
    precondition(position == header.tensors.count, "a tensor is not complete")
    try file.commit()
  }

  private func skipComplete() {
    while position < header.tensors.count, written == header.tensors[position].byteCount {
      position += 1
      written = 0
    }
  }

  /// Writes tensors that are in memory.
  ///
  /// - Parameter tensors: per name the dtype, the shape and the bytes, row-major and little-endian.
  public static func write(
    _ tensors: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])], metadata: [ByteString: ByteString] = [:],
    to path: String
  ) throws {
    let declarations = tensors.map { TensorDeclaration(name: $0.key, dtype: $0.value.dtype, shape: $0.value.shape) }
    let writer = try SafetensorsWriter(path: path, tensors: declarations, metadata: metadata)
    for tensor in writer.header.tensors { try writer.write(tensors[tensor.name]!.bytes, of: tensor.name) }
    try writer.commit()
  }
}
