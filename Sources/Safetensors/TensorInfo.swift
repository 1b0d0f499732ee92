import Tensors

/// A tensor to be written: what a header says about it before its place in the file is known.
public struct TensorDeclaration: Hashable, Sendable {
  public let name: ByteString
  public let dtype: DType
  public let shape: Shape

  public init(name: ByteString, dtype: DType, shape: Shape) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }
}

/// A tensor of a safetensors file: one entry of its header, checked.
public struct TensorInfo: Hashable, Sendable {
  public let name: ByteString
  public let dtype: DType
  public let shape: Shape
  /// Where its bytes lie, counted from the start of the file (not, as `data_offsets`, from the end of the header).
  public let fileRange: Range<Int>

  public var byteCount: Int { fileRange.count }
  /// The number of elements; a checked header keeps it countable.
  public var elementCount: Int { shape.elementCount! }
}
