import Safetensors
import Tensors

/// Writes `.wpatch` files. The same manifest and batches give the same content, and so the same patch ID.
public enum PatchWriter {
  /// Far more effort than reading costs buys little: factors are mostly noise.
  static let compressionLevel: Int32 = 12

  /// Writes a patch; the file appears under its name only when it is complete.
  ///
  /// - Parameters:
  ///   - manifest: its batches' digests are replaced by those of `batches`.
  ///   - batches: as many as the manifest describes, in the same order.
  ///   - signatures: payloads of signature frames.
  /// - Returns: the patch as it was written, with its ID.
  /// - Throws: an `ErrataError` if manifest and batches do not fit, in the words that a reader would use, or if the file
  ///   cannot be written.
  @discardableResult
  public static func write(
    _ manifest: Manifest, batches: [EditBatch], signatures: [[UInt8]] = [], to path: String
  ) throws -> Patch {
    let tensors = batches.enumerated().flatMap { index, batch in
      batch.storedTensors().map { (PatchTensorName.name($0.name, inBatch: index), $0) }
    }
    var manifest = manifest
    for index in manifest.batches.indices where index < batches.count {
      manifest.batches[index].digest = batches[index].digest()
    }
    let header = try SafetensorsHeader(
      declaring: tensors.map { TensorDeclaration(name: $0, dtype: $1.dtype, shape: $1.shape) },
      metadata: [PatchContainer.manifestKey: ByteString(manifest.serialized())], source: path)
    // What a reader would refuse is not written.
    let limits = PatchLimits()
    try limits.check(headerByteCount: header.bytes.count, source: path)
    try limits.check(signatures: signatures, source: path)
    let readBack = try Manifest(parsing: manifest.serialized(), source: path)
    _ = try PatchLayout(header: header, manifest: readBack, source: path)

    let file = try AtomicFile(path: path)
    var seal = DigestHasher()
    var identifier = DigestHasher()
    func write(_ bytes: [UInt8]) throws {
      seal.update(bytes)
      try file.write(bytes)
    }
    let compressor = ZstdCompressor(level: compressionLevel)
    func writeFrame(_ content: UnsafeRawBufferPointer) throws {
      identifier.update(content)
      do {
        try write(compressor.frame(content))
      } catch let error as ZstdError {
        throw ErrataError.compressionFailed(path, error.reason)
      }
    }

    try write(PatchContainer.magicFrame)
    try header.bytes.withUnsafeBytes(writeFrame)
    let contents = Dictionary(uniqueKeysWithValues: tensors)
    for tensor in header.tensors {
      try contents[tensor.name]!.bytes.withUnsafeBytes { content in
        for piece in PatchContainer.pieces(byteCount: content.count) {
          try writeFrame(UnsafeRawBufferPointer(rebasing: content[piece]))
        }
      }
    }
    try write(PatchContainer.signatureFrames(signatures))
    try limits.check(contentByteCount: header.fileByteCount, ofFile: file.byteCount, source: path)
    try file.write(PatchContainer.seal(seal.finalize()))
    try file.commit()
    return Patch(identifier: identifier.finalize(), manifest: readBack, batches: batches)
  }
}
