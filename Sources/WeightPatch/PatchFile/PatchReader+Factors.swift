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
    try layout.parts(of: weight, inBatch: index).map { try factors($0, isWhole: false) }
  }

  /// The weights that a batch edits, how each is stored (`LowRankFactors.wholeStorage`), and how many terms it has.
  public func storage(batch index: Int) -> [(weight: ByteString, storage: String, rank: Int)] {
    layout.batches[index].map { parts in
      let storage = describeStorage(
        left: parts[.left]?.dtype, right: parts[.right]?.dtype, keys: parts[.keys]?.dtype,
        correction: parts[.correction].map { ($0.elementCount, $0.dtype) })
      return (parts.weight, storage, parts.rank)
    }
  }

  /// What it takes to read the factors and to compute every figure of `ObjectiveFigures`, about: the number of
  /// elements, which are held in memory, and of multiplications. A small file may say a lot of zeros.
  public var figureCost: (elements: Int, multiplications: Double) {
    zip(layout.batches, manifest.batches).reduce(into: (0, 0)) { cost, batch in
      for parts in batch.0 {
        cost.0 += parts.elementCount
        guard let left = parts[.left]?.shape.extents, let right = parts[.right]?.shape.extents else { continue }
        cost.1 += LowRankFactors.multiplicationCount(
          terms: parts.rank, outputs: left[0], inputs: right[1], hasGram: parts[.gram] != nil,
          hasRidge: batch.1.ridge(of: parts.weight) != 0)
      }
    }
  }

  /// What a batch takes in the file: the bytes of the frames of its tensors.
  public func byteCount(ofBatch index: Int) -> Int {
    layout.batches[index].flatMap(\.infos).flatMap { frames[$0.name]! }.reduce(0) { $0 + $1.range.count }
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
    let base = manifest.base.tensors[parts.weight]!
    let correction = try correction(parts, elementCount: base.shape.elementCount!, decompressor)
    guard let left = try factor(.left), let right = try factor(.right) else {
      return LowRankFactors(
        name: parts.weight, isTransposed: base.isTransposed, shape: base.shape, correction: correction!)
    }
    return LowRankFactors(
      name: parts.weight, isTransposed: base.isTransposed, left: left, right: right,
      gram: isWhole ? try triangle(parts[.gram], size: right.rows, decompressor) : nil,
      keys: isWhole ? try factor(.keys) : nil,
      text: isWhole ? try triangle(parts[.text], size: right.rows, decompressor) : nil,
      heldProduct: isWhole ? try heldProduct(parts, rows: right.rows, decompressor) : nil, correction: correction)
  }

  private func correction(
    _ parts: PatchLayout.Parts, elementCount: Int, _ decompressor: ZstdDecompressor
  ) throws -> StoredCorrection? {
    guard let steps = parts[.correction], let gaps = parts[.correctionGaps] else { return nil }
    do {
      return try StoredCorrection(
        dtype: steps.dtype, steps: bytes(of: steps, decompressor), gaps: bytes(of: gaps, decompressor),
        elementCount: elementCount)
    } catch let problem as StoredCorrection.Problem {
      throw ErrataError.patchTensor(source, steps.name, problem.text)
    }
  }

  /// A symmetric matrix of which the lower triangle is stored.
  private func triangle(
    _ info: TensorInfo?, size: Int, _ decompressor: ZstdDecompressor
  ) throws -> Matrix<Double>? {
    try info.map { symmetricMatrix(packed: try doubles($0, decompressor), size: size) }
  }

  private func heldProduct(
    _ parts: PatchLayout.Parts, rows: Int, _ decompressor: ZstdDecompressor
  ) throws -> Matrix<Double>? {
    try parts[.heldProduct].map { info in
      Matrix(rows: rows, columns: info.shape.extents[1], elements: try doubles(info, decompressor))
    }
  }

  private func doubles(_ info: TensorInfo, _ decompressor: ZstdDecompressor) throws -> [Double] {
    try bytes(of: info, decompressor).withUnsafeBytes { bytes in
      (0..<info.elementCount).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) }
    }
  }
}
