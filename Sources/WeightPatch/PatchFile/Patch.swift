import Tensors

/// A patch in memory: what a `.wpatch` file says and holds.
public struct Patch: Sendable {
  /// The patch ID: SHA-256 of the decompressed content. Recompressing and signing do not change it.
  public let identifier: Digest
  public let manifest: Manifest
  /// As many as `manifest.batches`, in the same order; `manifest.batches[i].digest` is the digest of `batches[i]`.
  public let batches: [EditBatch]
}
