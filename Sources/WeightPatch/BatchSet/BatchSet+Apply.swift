import Safetensors
import Tensors

extension BatchSet {
  /// The bytes of a tensor with all batches applied exactly (Spec: exact apply).
  ///
  /// - Parameters:
  ///   - tensor: one of the base.
  ///   - base: its bytes, if they are not those that are stored.
  /// - Throws: an `ErrataError` if a patch was damaged since it was opened, if the shapes do not fit, or if an element
  ///   is not finite or overflows.
  public func applied(to tensor: StoredTensor, base: UnsafeRawBufferPointer? = nil) throws -> [UInt8] {
    try tensor.applying(factors(of: tensor.name), base: base)
  }

  /// The tensor digest of what exact apply makes of a tensor of the base.
  ///
  /// - Throws: as `applied`.
  public func digest(of tensor: StoredTensor) throws -> Digest {
    Digest(tensorOf: tensor.dtype, shape: tensor.shape, bytes: try applied(to: tensor))
  }
}

extension StoredTensor {
  /// The bytes of this tensor of the base with some factors applied exactly, in their order.
  ///
  /// - Parameter base: the tensor's bytes, if they are not those that are stored.
  /// - Throws: an `ErrataError`, as `applyExactly`.
  package func applying(_ factors: [LowRankFactors], base: UnsafeRawBufferPointer? = nil) throws -> [UInt8] {
    // The mapping that the bytes lie in.
    defer { withExtendedLifetime(self) {} }
    let base = base ?? bytes
    var result = [UInt8](repeating: 0, count: base.count)
    try result.withUnsafeMutableBytes {
      try applyExactly(factors, name: name, to: base, dtype: dtype, shape: shape, into: $0)
    }
    return result
  }
}
