import Safetensors
import Tensors

/// Writes `.wpatch` files. The same manifest and batches give the same content, and so the same patch ID.
public enum PatchWriter {
  /// The compression levels of zstd that can be asked for.
  public static let compressionLevels = 1...22
  /// Factors are mostly noise: more effort than this buys nothing (Spec: choosing types).
  public static let defaultCompressionLevel = 12

  /// Before a patch is made: that it can be written, and replaces nothing, or nothing but an earlier patch.
  ///
  /// - Parameters:
  ///   - path: `-` is standard output.
  ///   - inputs: the paths of the patches that it is made from, which it does not replace either.
  ///   - replacing: whether it may replace a patch.
  /// - Throws: an `ErrataError` that names the path.
  public static func checkOutput(_ path: String, inputs: [String] = [], replacing: Bool = false) throws {
    if path == "-" { return }
    var isThere = false
    try AtomicFile.check(path: path, inputs: inputs) { path in
      isThere = (try? PatchReader(path: path)) != nil
      return isThere
    }
    if isThere && !replacing { throw ErrataError.patchExists(path) }
  }

  /// Writes a patch; the file appears under its name only when it is complete.
  ///
  /// - Parameters:
  ///   - manifest: its batches' digests are replaced by those of `batches`.
  ///   - batches: as many as the manifest describes, in the same order.
  ///   - signatures: payloads of signature frames.
  ///   - compressionLevel: one of `compressionLevels`.
  /// - Returns: the patch as it was written, with its ID.
  /// - Throws: an `ErrataError` if manifest and batches do not fit, in the words that a reader would use, or if the
  ///   file cannot be written.
  @discardableResult
  public static func write(
    _ manifest: Manifest, batches: [EditBatch], signatures: [[UInt8]] = [],
    compressionLevel: Int = defaultCompressionLevel, to path: String
  ) throws -> Patch {
    // What a reader would refuse is not written.
    let content = try PatchContent(manifest, batches: batches, source: path)
    let limits = PatchLimits()
    try limits.check(signatures: signatures, source: path)
    let writer = try PatchFrameWriter(path: path, format: content.manifest.format, compressionLevel: compressionLevel)
    try writer.writeHeader(content.header.bytes)
    try content.forEachTensor(writer.writeTensor)
    let identifier = try writer.finish(
      signatures: signatures, contentByteCount: content.header.fileByteCount, limits: limits)
    return Patch(
      identifier: identifier, manifest: content.manifest, batches: batches, writtenByteCount: writer.byteCount)
  }

  /// Writes a patch with the same content, and so the same patch ID, at another compression level. Signatures stay.
  ///
  /// - Returns: the patch, which was read and checked as a whole before anything was written.
  /// - Throws: an `ErrataError` if the patch is damaged, or if the file cannot be written.
  @discardableResult
  public static func recompress(_ reader: PatchReader, compressionLevel: Int, to path: String) throws -> Patch {
    var patch = try reader.read()
    let writer = try PatchFrameWriter(path: path, format: reader.manifest.format, compressionLevel: compressionLevel)
    try writer.writeHeader(reader.header.bytes)
    let decompressor = ZstdDecompressor()
    for tensor in reader.header.tensors { try writer.writeTensor(reader.bytes(of: tensor, decompressor)) }
    let identifier = try writer.finish(
      signatures: reader.signatures, contentByteCount: reader.header.fileByteCount, limits: PatchLimits())
    precondition(identifier == patch.identifier, "the content of a recompressed patch has changed")
    patch.writtenByteCount = writer.byteCount
    return patch
  }
}
