import Tensors

extension PatchReader {
  /// Writes the patch with other signatures. Everything before them stays, byte for byte; the seal is made anew.
  ///
  /// - Parameters:
  ///   - signatures: the payloads of the signature frames.
  ///   - path: may be this patch's own: the file is replaced when the new one is complete.
  /// - Throws: an `ErrataError` if there are too many or too large ones, or if the file cannot be written.
  func write(signatures: [[UInt8]], to path: String) throws {
    try PatchLimits().check(signatures: signatures, source: path)
    let frames = PatchContainer.signatureFrames(signatures)
    let end = byteCount - PatchContainer.sealByteCount - PatchContainer.signatureFrames(self.signatures).count
    let body = UnsafeRawBufferPointer(rebasing: bytes[..<end])
    var seal = DigestHasher()
    seal.update(body)
    seal.update(frames)
    let file = try AtomicFile(path: path)
    try file.write(body)
    try file.write(frames)
    try file.write(PatchContainer.seal(seal.finalize()))
    try file.commit()
  }
}

extension PatchReader {
  /// Puts the whole file, as it was read, in a new place; who asks for it brings it to the disk.
  func writeCopy(to path: AnchoredPath) throws {
    let writer = try FileRegionWriter(new: path)
    for start in stride(from: 0, to: byteCount, by: PatchContainer.pieceByteCount) {
      let range = start..<min(start + PatchContainer.pieceByteCount, byteCount)
      try writer.write(UnsafeRawBufferPointer(rebasing: bytes[range]), at: start)
      release(range)
    }
  }
}
