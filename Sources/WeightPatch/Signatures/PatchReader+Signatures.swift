import Tensors

extension PatchReader {
  /// Writes the patch with other signatures. Everything before them stays, byte for byte; the seal is made anew.
  ///
  /// - Parameters:
  ///   - signatures: the payloads of the signature frames.
  ///   - path: may be this patch's own: the file is replaced when the new one is complete. `-` is standard output.
  /// - Throws: an `ErrataError` if there are too many or too large ones, or if the file cannot be written.
  func write(signatures: [[UInt8]], to path: String) throws {
    let ending = try ending(signatures, path)
    let file = try openOutput(path)
    try file.write(body)
    try file.write(ending)
    try file.commit()
  }

  /// Puts the patch in a new place, as it was read but for the signatures; who asks for it brings it to the disk.
  ///
  /// - Throws: as `write`.
  package func writeCopy(to path: AnchoredPath, signatures: [[UInt8]]) throws {
    let ending = try ending(signatures, path.path)
    let writer = try FileRegionWriter(new: path)
    for start in stride(from: 0, to: body.count, by: PatchContainer.pieceByteCount) {
      let range = start..<min(start + PatchContainer.pieceByteCount, body.count)
      try writer.write(UnsafeRawBufferPointer(rebasing: body[range]), at: start)
      release(range)
    }
    try writer.write(ending, at: body.count)
  }

  /// What signatures and seal follow.
  private var body: UnsafeRawBufferPointer {
    let end = byteCount - PatchContainer.sealByteCount - PatchContainer.signatureFrames(signatures).count
    return UnsafeRawBufferPointer(rebasing: bytes[..<end])
  }

  /// The frames of signatures, and the seal of the file that ends with them.
  private func ending(_ signatures: [[UInt8]], _ path: String) throws -> [UInt8] {
    // As most are copied: with the seal that was checked.
    if signatures == self.signatures { return Array(bytes[body.count...]) }
    try PatchLimits().check(signatures: signatures, source: path)
    let frames = PatchContainer.signatureFrames(signatures)
    var seal = DigestHasher()
    seal.update(body)
    seal.update(frames)
    return frames + PatchContainer.seal(seal.finalize())
  }
}
