import Tensors
import WeightPatch

extension Manifest {
  /// Records the digests of what exact apply makes of the base.
  ///
  /// - Parameters:
  ///   - batches: those that the manifest describes.
  ///   - base: the patch's.
  ///   - source: what messages call the patch.
  /// - Throws: an `ErrataError` if the checkpoint is not the patch's base, or if the patch stands on others.
  mutating func recordResult(of batches: [EditBatch], onBase base: LockedCheckpoint, source: String) throws {
    let checkpoint = base.checkpoint
    guard parents.isEmpty else { throw ErrataError.resultNeedsParents(source) }
    // A batch that occurs twice counts once (Spec: exact apply).
    let distinct = Dictionary(batches.map { ($0.digest(), $0) }) { first, _ in first }
    let ordered = distinct.sorted { $0.key < $1.key }.flatMap(\.value.tensors)
    result = try Dictionary(
      uniqueKeysWithValues: self.base.tensors.map { name, expected in
        let tensor = try checkpoint.tensor(named: name)
        guard tensor.digest() == expected.digest else { throw ErrataError.notTheBase(source, checkpoint.path, name) }
        var bytes = [UInt8](repeating: 0, count: tensor.bytes.count)
        try bytes.withUnsafeMutableBytes {
          try applyExactly(
            ordered.filter { $0.name == name }, name: name, to: tensor.bytes, dtype: tensor.dtype, shape: tensor.shape,
            into: $0)
        }
        return (name, Digest(tensorOf: tensor.dtype, shape: tensor.shape, bytes: bytes))
      })
  }
}
