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
    try write(
      manifest, batches: batches, signatures: signatures, compressionLevel: compressionLevel, source: path
    ) { try openOutput(path) }
  }

  /// - Parameters:
  ///   - source: what messages call the patch.
  ///   - open: is asked for the place of the bytes once it is known that there will be some.
  fileprivate static func write(
    _ manifest: Manifest, batches: [EditBatch], signatures: [[UInt8]] = [],
    compressionLevel: Int = defaultCompressionLevel, source: String, open: () throws -> any OutputSink
  ) throws -> Patch {
    // What a reader would refuse is not written.
    let content = try PatchContent(manifest, batches: batches, source: source)
    let limits = PatchLimits()
    try limits.check(signatures: signatures, source: source)
    let writer = try PatchFrameWriter(
      to: open(), format: content.manifest.format, compressionLevel: compressionLevel)
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
    let writer = try PatchFrameWriter(
      to: openOutput(path), format: reader.manifest.format, compressionLevel: compressionLevel)
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

extension PatchFile {
  /// Writes a patch to a file without a name, which lasts as long as this value: a ledger takes its bytes over.
  ///
  /// - Parameters:
  ///   - folder: on whose file system the file is made, if that can be written to.
  ///   - source: what messages call the patch.
  /// - Throws: as `PatchWriter.write`.
  package init(writing manifest: Manifest, batches: [EditBatch], near folder: String?, source: String) throws {
    let file = try UnnamedFile(near: folder, path: source)
    _ = try PatchWriter.write(manifest, batches: batches, source: source) { file }
    let written = try file.map()
    try self.init(PatchReader(bytes: written.bytes, file: written, source: source))
  }
}
