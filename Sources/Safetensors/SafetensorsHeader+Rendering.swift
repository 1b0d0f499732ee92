import Tensors

extension SafetensorsHeader {
  /// The header of a new file, in canonical form: the same tensors and metadata give the same bytes.
  ///
  /// Data order: widest elements first, then by name, bytewise; so every tensor is aligned to its elements, as the
  /// reference implementation does it. The JSON has sorted keys and no white space and is padded with spaces to a
  /// multiple of 8 bytes.
  ///
  /// - Parameter source: the path of the file to be written, for messages.
  /// - Throws: an `ErrataError` for a name that stands twice or is reserved, and for sizes that cannot be counted.
  public init(declaring declarations: [TensorDeclaration], metadata: [ByteString: ByteString] = [:], source: String)
    throws
  {
    let ordered = declarations.sorted {
      ($1.dtype.bitsPerElement, $0.name) < ($0.dtype.bitsPerElement, $1.name)
    }
    var members = JSONObject()
    if !metadata.isEmpty {
      var strings = JSONObject()
      for (key, value) in metadata { strings[key] = .string(value) }
      members["__metadata__"] = .object(strings)
    }
    var ranges: [Range<Int>] = []
    var end = 0
    for declaration in ordered {
      guard declaration.name != "__metadata__" else { throw ErrataError.reservedName(source) }
      guard let count = declaration.shape.elementCount,
        let byteCount = declaration.dtype.byteCount(elementCount: count),
        byteCount < Int.max - end - 2 * Self.maximumByteCount
      else { throw ErrataError.tensorTooLarge(source, declaration.name, declaration.dtype, declaration.shape) }
      let entry: JSON = [
        "dtype": JSON(declaration.dtype.rawValue),
        "shape": .array(declaration.shape.extents.map { .integer($0) }),
        "data_offsets": [.integer(end), .integer(end + byteCount)],
      ]
      guard members.append(declaration.name, entry) else {
        throw ErrataError.duplicateTensor(source, declaration.name)
      }
      ranges.append(end..<end + byteCount)
      end += byteCount
    }
    var text = JSON.object(members).serialized()
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
    guard text.count <= Self.maximumByteCount else {
      throw ErrataError.headerTooLarge(source, byteCount: UInt64(text.count))
    }
    let bytes = withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init) + text
    let tensors = zip(ordered, ranges).map { declaration, range in
      TensorInfo(
        name: declaration.name, dtype: declaration.dtype, shape: declaration.shape,
        fileRange: bytes.count + range.lowerBound..<bytes.count + range.upperBound)
    }
    self.init(bytes: bytes, tensors: tensors, metadata: metadata)
  }
}
