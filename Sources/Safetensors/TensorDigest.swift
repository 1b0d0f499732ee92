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
    Self.digests(of: [self])[0]
  }

  /// The digests of several tensors, for less than one after the other.
  public static func digests(of tensors: [StoredTensor]) -> [Digest] {
    var hashers = tensors.map { DigestHasher(tensorOf: $0.dtype, shape: $0.shape) }
    let longest = tensors.map(\.info.byteCount).max() ?? 0
    for start in stride(from: 0, to: longest, by: windowByteCount) {
      let windows = tensors.map { tensor in
        min(start, tensor.info.byteCount)..<min(start + windowByteCount, tensor.info.byteCount)
      }
      DigestHasher.update(
        &hashers, zip(tensors, windows).map { UnsafeRawBufferPointer(rebasing: $0.bytes[$1]) })
      for (tensor, window) in zip(tensors, windows) {
        let place = tensor.info.fileRange.lowerBound
        tensor.file.release(place + window.lowerBound..<place + window.upperBound)
      }
    }
    return hashers.map { $0.finalize() }
  }

  private static let windowByteCount = 1 << 20
}
