import Tensors

/// A safetensors file mapped into memory.
///
/// Opening reads only the header; tensor bytes are read from disk when they are touched.
public struct SafetensorsFile: Sendable {
  public let header: SafetensorsHeader
  private let file: MappedFile

  public var path: String { file.path }
  public var byteCount: Int { file.bytes.count }
  /// Which file it is, whatever its name.
  package var identity: FileIdentity { file.identity }

  /// - Throws: an `ErrataError` if the file cannot be read or is not a valid safetensors file: then it says what it
  ///   is, if that can be seen.
  public init(path: String) throws {
    file = try MappedFile(path: path)
    do {
      header = try SafetensorsHeader(file: file.bytes, source: path)
    } catch {
      throw ErrataError.recognized(path, file.bytes, wanted: FileKind.safetensorsNoun) ?? error
    }
  }

  /// The entry of the tensor `name`.
  ///
  /// - Throws: an `ErrataError` if there is none.
  public func tensor(named name: ByteString) throws -> StoredTensor {
    guard let info = header[name] else { throw ErrataError.noTensor(path, name) }
    return StoredTensor(info: info, file: self)
  }

  /// The bytes of a tensor of this file; valid as long as this value is kept.
  public func bytes(of info: TensorInfo) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: file.bytes[info.fileRange])
  }

  /// Lets go of the memory that holds a part of the file; see `MappedFile`.
  public func release(_ range: Range<Int>) { file.release(range) }

  /// Calls `body` with the bytes of a tensor, in order, a few MiB at a time, and lets go of the memory that holds them.
  public func forEachWindow(
    of info: TensorInfo, _ body: (_ bytes: UnsafeRawBufferPointer, _ offset: Int) throws -> Void
  ) rethrows {
    try file.forEachWindow(of: info.fileRange) { window in
      try body(UnsafeRawBufferPointer(rebasing: file.bytes[window]), window.lowerBound - info.fileRange.lowerBound)
    }
  }
}

/// A tensor as it is stored: its entry in the header, and the mapped file that holds its bytes.
public struct StoredTensor: Sendable {
  public let info: TensorInfo
  public let file: SafetensorsFile

  public var name: ByteString { info.name }
  public var dtype: DType { info.dtype }
  public var shape: Shape { info.shape }

  /// The mapped bytes, of any alignment; valid as long as this value is kept.
  public var bytes: UnsafeRawBufferPointer { file.bytes(of: info) }

  /// The tensor in float32: a vector as one row, a matrix as it is stored.
  ///
  /// - Throws: an `ErrataError` for another number of dimensions, or a dtype that is no weight type.
  public func matrix() throws -> Matrix<Float> {
    let (rows, columns) = try extents(isAllowed: dtype.isWeightType, expected: "a float vector or matrix")
    return Matrix(rows: rows, columns: columns, stored: bytes, dtype: dtype)
  }

  /// The tensor in binary64, where it is stored so: a vector as one row, a matrix as it is stored.
  ///
  /// - Throws: an `ErrataError` for another number of dimensions or another dtype.
  public func doubleMatrix() throws -> Matrix<Double> {
    let (rows, columns) = try extents(isAllowed: dtype == .f64, expected: "an F64 vector or matrix")
    var result = Matrix<Double>(uninitializedRows: rows, columns: columns)
    let source = bytes
    result.withUnsafeMutablePointer { destination in
      UnsafeMutableRawBufferPointer(start: destination, count: source.count).copyMemory(from: source)
    }
    return result
  }

  private func extents(isAllowed: Bool, expected: String) throws -> (rows: Int, columns: Int) {
    guard isAllowed, (1...2).contains(shape.extents.count) else {
      throw ErrataError.wrongTensorType(file.path, name, dtype, shape, expected: expected)
    }
    return (shape.extents.count == 1 ? 1 : shape.extents[0], shape.extents.last!)
  }
}
