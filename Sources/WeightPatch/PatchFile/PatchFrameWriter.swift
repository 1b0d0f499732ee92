import Tensors

/// Writes the frames of a patch, one after another; the file appears under its name when it is finished.
final class PatchFrameWriter {
  private let file: any OutputSink
  private let compressor: ZstdCompressor
  private var seal = DigestHasher()
  private var identifier = DigestHasher()

  /// How many bytes the file has so far.
  var byteCount: Int { file.byteCount }

  /// - Parameters:
  ///   - format: that of the manifest.
  ///   - compressionLevel: one of `PatchWriter.compressionLevels`.
  init(to file: any OutputSink, format: Int, compressionLevel: Int) throws {
    self.file = file
    compressor = ZstdCompressor(level: Int32(compressionLevel))
    try write(PatchContainer.magicFrame(format: format))
  }

  /// Writes the safetensors header with its length field, whole: the first data frame.
  func writeHeader(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes(writeFrame) }

  /// Writes a tensor's bytes, in as many frames as it has pieces.
  func writeTensor(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { content in
      for piece in PatchContainer.pieces(byteCount: content.count) {
        try writeFrame(UnsafeRawBufferPointer(rebasing: content[piece]))
      }
    }
  }

  /// Writes the signatures and the seal, and puts the file in its place.
  ///
  /// - Parameter contentByteCount: the size of all that was written as header and tensors.
  /// - Returns: the patch ID.
  func finish(signatures: [[UInt8]], contentByteCount: Int, limits: PatchLimits) throws -> Digest {
    try write(PatchContainer.signatureFrames(signatures))
    try limits.check(contentByteCount: contentByteCount, ofFile: file.byteCount, source: file.path)
    try file.write(PatchContainer.seal(seal.finalize()))
    try file.commit()
    return identifier.finalize()
  }

  private func writeFrame(_ content: UnsafeRawBufferPointer) throws {
    identifier.update(content)
    do {
      try write(compressor.frame(content))
    } catch let error as ZstdError {
      throw ErrataError.compressionFailed(file.path, error.reason)
    }
  }

  private func write(_ bytes: [UInt8]) throws {
    seal.update(bytes)
    try file.write(bytes)
  }
}
