import Safetensors
import Tensors

/// A patch in memory: what a `.wpatch` file says and holds.
public struct Patch: Sendable {
  /// The patch ID: SHA-256 of the decompressed content. Recompressing and signing do not change it.
  public let identifier: Digest
  public let manifest: Manifest
  /// As many as `manifest.batches`, in the same order; `manifest.batches[i].digest` is the digest of `batches[i]`.
  public let batches: [EditBatch]
  /// The size of the file that it was written to; nil for one that was not written just now.
  package var writtenByteCount: Int?

  init(identifier: Digest, manifest: Manifest, batches: [EditBatch], writtenByteCount: Int? = nil) {
    self.identifier = identifier
    self.manifest = manifest
    self.batches = batches
    self.writtenByteCount = writtenByteCount
  }

  /// A patch that is in no file yet.
  ///
  /// - Parameters:
  ///   - manifest: its batches' digests are replaced by those of `batches`.
  ///   - batches: as many as the manifest describes, in the same order.
  ///   - source: what messages call it.
  /// - Throws: an `ErrataError` if manifest and batches do not fit, in the words that a reader would use.
  public init(_ manifest: Manifest, batches: [EditBatch], source: String = "patch") throws {
    let content = try PatchContent(manifest, batches: batches, source: source)
    self.init(identifier: content.identifier(), manifest: content.manifest, batches: batches)
  }

  /// Writes the file; it appears under its name only when it is complete.
  ///
  /// - Parameter compressionLevel: one of `PatchWriter.compressionLevels`.
  /// - Returns: the patch, which knows the size of its file.
  /// - Throws: an `ErrataError` if the file cannot be written.
  @discardableResult
  public func write(to path: String, compressionLevel: Int = PatchWriter.defaultCompressionLevel) throws -> Patch {
    try PatchWriter.write(manifest, batches: batches, compressionLevel: compressionLevel, to: path)
  }
}

/// What a patch's file holds once it is decompressed: a safetensors file.
struct PatchContent {
  let header: SafetensorsHeader
  /// As a reader finds it in the header.
  let manifest: Manifest
  private let tensors: [ByteString: BatchTensor]

  /// - Throws: an `ErrataError` if manifest and batches do not fit, or if a reader would refuse their size.
  init(_ manifest: Manifest, batches: [EditBatch], source: String) throws {
    let tensors = batches.enumerated().flatMap { index, batch in
      batch.storedTensors().map { (PatchTensorName.name($0.name, inBatch: index), $0) }
    }
    var manifest = manifest
    for index in manifest.batches.indices where index < batches.count {
      manifest.batches[index].digest = batches[index].digest()
    }
    header = try SafetensorsHeader(
      declaring: tensors.map { TensorDeclaration(name: $0, dtype: $1.dtype, shape: $1.shape) },
      metadata: [PatchContainer.manifestKey: ByteString(manifest.serialized())], source: source)
    try PatchLimits().check(headerByteCount: header.bytes.count, source: source)
    self.manifest = try Manifest(parsing: manifest.serialized(), source: source)
    _ = try PatchLayout(header: header, manifest: self.manifest, source: source)
    self.tensors = Dictionary(uniqueKeysWithValues: tensors)
  }

  /// Calls `body` with the bytes of every tensor, in the order of the file.
  func forEachTensor(_ body: ([UInt8]) throws -> Void) rethrows {
    for tensor in header.tensors { try body(tensors[tensor.name]!.bytes) }
  }

  func identifier() -> Digest {
    var hasher = DigestHasher()
    hasher.update(header.bytes)
    forEachTensor { hasher.update($0) }
    return hasher.finalize()
  }
}
