import Safetensors
import Tensors

extension PatchReader {
  /// Checks what opening could not: checksums, digests of the batches, finite values. Nothing is kept: a patch of any
  /// size is checked in the memory of a few pieces.
  ///
  /// - Returns: the patch ID.
  /// - Throws: an `ErrataError` of category `damagedInput`.
  public func check() throws -> Digest {
    // The content is digested in the order of the file, each batch in the order of names: that is two readings, side by
    // side where there are two threads.
    let digests = try Threads.map(0..<2) { task -> Digest? in
      if task == 0 { return try self.contentDigest() }
      for index in self.layout.batches.indices { try self.checkBatch(index) }
      return nil
    }
    return digests[0]!
  }

  private func contentDigest() throws -> Digest {
    let decompressor = ZstdDecompressor()
    var hasher = DigestHasher()
    hasher.update(header.bytes)
    for tensor in header.tensors { try forEachPiece(of: tensor, decompressor) { hasher.update($0) } }
    return hasher.finalize()
  }

  private func checkBatch(_ index: Int) throws {
    let decompressor = ZstdDecompressor()
    let parts = layout.batches[index].flatMap { weight in
      weight.tensors.map { (name: $0.key.name(ofWeight: weight.weight), part: $0.key, info: $0.value, weight: weight) }
    }
    var hasher = BatchHasher()
    var firstFault: ErrataError?
    // Steps and gaps are two tensors, between which others may stand.
    var corrections: [ByteString: CorrectionCheck] = [:]
    for (name, part, info, weight) in parts.sorted(by: { $0.name < $1.name }) {
      hasher.begin(name: name, dtype: info.dtype, shape: info.shape)
      var values = try FactorValueCheck(
        part, info, exponents: part.exponents.flatMap { weight[$0] }.map { try exponents($0, decompressor) })
      var holds = true
      try forEachPiece(of: info, decompressor) { piece in
        hasher.update(piece)
        holds = values.accepts(piece) && holds
        switch part {
        case .correction:
          corrections[weight.weight, default: CorrectionCheck(dtype: info.dtype)].takeSteps(piece)
        case .correctionGaps:
          corrections[weight.weight, default: CorrectionCheck(dtype: weight[.correction]!.dtype)].takeGaps(piece)
        default: break
        }
      }
      if !holds, firstFault == nil {
        let number = info.dtype == .f64 ? "finite" : "a finite float32 number"
        firstFault = ErrataError.patchTensor(source, info.name, "has a value that is not \(number)")
      }
    }
    guard hasher.finalize() == manifest.batches[index].digest else {
      throw ErrataError.batchDigestDiffers(source, index)
    }
    if let firstFault { throw firstFault }
    for weight in layout.batches[index] {
      guard let steps = weight[.correction], let check = corrections[weight.weight],
        let problem = check.problem(elementCount: manifest.base.tensors[weight.weight]!.shape.elementCount!)
      else { continue }
      throw ErrataError.patchTensor(source, steps.name, problem.text)
    }
  }
}
