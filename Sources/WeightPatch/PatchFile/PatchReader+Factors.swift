import Safetensors
import Tensors

extension PatchReader {
  /// Decompresses everything into memory, checked.
  ///
  /// - Throws: an `ErrataError` of category `damagedInput`.
  public func read() throws -> Patch { try readChecked(identifier: check()) }

  /// The same of a patch that was checked.
  func readChecked(identifier: Digest) throws -> Patch {
    let batches = try layout.batches.indices.map { index in
      EditBatch(tensors: try layout.batches[index].map { try factors($0, isWhole: true) })
    }
    return Patch(identifier: identifier, manifest: manifest, batches: batches)
  }

  /// What exact apply needs of one weight: the factors of batch `index`, without `gram` and keys; nil if the batch does
  /// not edit the weight. Values are as `check` found them: call it first.
  ///
  /// - Throws: an `ErrataError` of category `damagedInput`.
  func factors(of weight: ByteString, inBatch index: Int) throws -> LowRankFactors? {
    try layout.batches[index].first { $0.weight == weight }.map { try factors($0, isWhole: false) }
  }

  /// The weights that a batch edits, and how their factors are stored.
  public func factorTypes(batch index: Int) -> [(weight: ByteString, left: DType, right: DType)] {
    layout.batches[index].map { ($0.weight, $0[.left]!.dtype, $0[.right]!.dtype) }
  }

  /// The content of a tensor's frames.
  func bytes(of tensor: TensorInfo, _ decompressor: ZstdDecompressor) throws -> [UInt8] {
    var content: [UInt8] = []
    content.reserveCapacity(tensor.byteCount)
    try forEachPiece(of: tensor, decompressor) { content.append(contentsOf: $0) }
    return content
  }

  func exponents(_ tensor: TensorInfo, _ decompressor: ZstdDecompressor) throws -> [Int8] {
    try bytes(of: tensor, decompressor).map(Int8.init(bitPattern:))
  }

  private func factors(_ parts: PatchLayout.Parts, isWhole: Bool) throws -> LowRankFactors {
    let decompressor = ZstdDecompressor()
    func factor(_ part: PatchTensorName.Part) throws -> StoredFactor? {
      guard let info = parts[part] else { return nil }
      return StoredFactor(
        dtype: info.dtype, rows: info.shape.extents[0], columns: info.shape.extents[1],
        bytes: try bytes(of: info, decompressor),
        exponents: try part.exponents.flatMap { parts[$0] }.map { try exponents($0, decompressor) })
    }
    let (left, right) = (try factor(.left)!, try factor(.right)!)
    return LowRankFactors(
      name: parts.weight, isTransposed: manifest.base.tensors[parts.weight]!.isTransposed, left: left, right: right,
      gram: isWhole ? try gram(parts, size: right.rows, decompressor) : nil,
      keys: isWhole ? try factor(.keys) : nil)
  }

  private func gram(
    _ parts: PatchLayout.Parts, size: Int, _ decompressor: ZstdDecompressor
  ) throws -> Matrix<Double>? {
    guard let info = parts[.gram] else { return nil }
    let packed = try bytes(of: info, decompressor).withUnsafeBytes { bytes in
      (0..<info.elementCount).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) }
    }
    return symmetricMatrix(packed: packed, size: size)
  }
}
