import Tensors

extension DigestHasher {
  /// A hasher that has taken what a tensor digest begins with: dtype and shape as one line of text, for example
  /// `BF16 [576, 1536]` and a newline (Spec: tensor digest). The tensor's bytes follow.
  public init(tensorOf dtype: DType, shape: Shape) {
    self.init()
    update("\(dtype.rawValue) \(shape)\n")
  }
}

extension Digest {
  /// The tensor digest of a tensor whose bytes are in memory.
  public init(tensorOf dtype: DType, shape: Shape, bytes: [UInt8]) {
    var hasher = DigestHasher(tensorOf: dtype, shape: shape)
    hasher.update(bytes)
    self = hasher.finalize()
  }
}

extension StoredTensor {
  /// SHA-256 over dtype, shape and bytes (Spec: tensor digest). Reads the whole tensor.
  public func digest() -> Digest {
    var hasher = DigestHasher(tensorOf: dtype, shape: shape)
    file.forEachWindow(of: info) { bytes, _ in hasher.update(bytes) }
    return hasher.finalize()
  }
}

extension TensorInfo {
  /// The tensor digest that a tensor of this type and shape has whose bytes are a file of their own.
  public func digest(of file: MappedFile) -> Digest {
    var hasher = DigestHasher(tensorOf: dtype, shape: shape)
    file.forEachWindow(of: file.bytes.indices) { hasher.update(UnsafeRawBufferPointer(rebasing: file.bytes[$0])) }
    return hasher.finalize()
  }
}
