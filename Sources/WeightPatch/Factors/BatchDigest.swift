import Tensors

/// A tensor of a patch, named without its batch prefix.
struct BatchTensor {
  /// For example `model.layers.5.mlp.down_proj.weight/left`.
  let name: ByteString
  let dtype: DType
  let shape: Shape
  /// Row-major, little-endian.
  let bytes: [UInt8]
}

extension EditBatch {
  /// SHA-256 over the batch's tensors (Spec: batch digest). It names the batch: it does not depend on the manifest, nor
  /// on which patch carries the batch.
  public func digest() -> Digest { digestOfBatch(storedTensors()) }

  /// The tensors that carry the batch in a file.
  func storedTensors() -> [BatchTensor] {
    tensors.flatMap { factors in
      var result: [BatchTensor] = []
      func append(_ part: PatchTensorName.Part, _ dtype: DType, _ shape: Shape, _ bytes: [UInt8]) {
        result.append(
          BatchTensor(name: part.name(ofWeight: factors.name), dtype: dtype, shape: shape, bytes: bytes))
      }
      func append(_ part: PatchTensorName.Part, _ factor: StoredFactor?) {
        guard let factor else { return }
        append(part, factor.dtype, [factor.rows, factor.columns], factor.bytes)
        if let exponents = factor.exponents, let exponentsPart = part.exponents {
          append(exponentsPart, .i8, [exponents.count], exponents.map(UInt8.init(bitPattern:)))
        }
      }
      if factors.rank > 0 {
        append(.left, factors.left)
        append(.right, factors.right)
      }
      append(.keys, factors.keys)
      for (part, matrix) in [(PatchTensorName.Part.gram, factors.gram), (.text, factors.text)] {
        guard let packed = matrix.map(packedLowerTriangle) else { continue }
        append(part, .f64, [packed.count], packed.withUnsafeBytes(Array.init))
      }
      if let product = factors.heldProduct {
        append(.heldProduct, .f64, [product.rows, product.columns], product.elements.withUnsafeBytes(Array.init))
      }
      if let correction = factors.correction {
        append(.correction, correction.dtype, [correction.count], correction.steps)
        append(.correctionGaps, .u8, [correction.gaps.count], correction.gaps)
      }
      return result
    }
  }
}

/// SHA-256 over tensors in bytewise order of name: for each the line `name dtype shape` and a newline, then the bytes.
func digestOfBatch(_ tensors: [BatchTensor]) -> Digest {
  var hasher = BatchHasher()
  for tensor in tensors.sorted(by: { $0.name < $1.name }) {
    hasher.begin(name: tensor.name, dtype: tensor.dtype, shape: tensor.shape)
    tensor.bytes.withUnsafeBytes { hasher.update($0) }
  }
  return hasher.finalize()
}

/// The batch digest of tensors that come in pieces, in bytewise order of name.
struct BatchHasher {
  private var hasher = DigestHasher()

  mutating func begin(name: ByteString, dtype: DType, shape: Shape) {
    hasher.update(name.bytes)
    hasher.update(" \(dtype.rawValue) \(shape)\n")
  }

  mutating func update(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

  func finalize() -> Digest { hasher.finalize() }
}
