import CKernels
import Tensors

/// The buffers of a forward pass, reused from layer to layer.
final class ForwardWorkspace {
  /// Rows x hidden size.
  let normalized: AlignedStorage<Float>
  /// Rows x queries.
  let attended: AlignedStorage<Float>
  var key: Matrix<Float>
  let shared: SharedKeyValues

  init(_ architecture: Architecture, rows: Int, shared: SharedKeyValues) {
    normalized = AlignedStorage(count: rows * architecture.hiddenSize)
    attended = AlignedStorage(count: rows * architecture.largestQuerySize)
    key = Matrix(uninitializedRows: rows, columns: architecture.intermediateSize)
    self.shared = shared
  }
}

extension Block {
  /// stream += O attention(rotate(norm(QKV norm(stream))))
  func forwardAttention(
    _ stream: UnsafeMutablePointer<Float>, _ pass: Pass, _ record: BlockRecord, _ workspace: ForwardWorkspace
  ) {
    forwardPacked(stream, pass, record, workspace)
    attention.forward(
      pass.plan, packed: record.packed.base, kept: pass.kept, window: attentionWindow, into: workspace.attended.base,
      probabilities: record.probabilities?.base)
    attentionJunction.forward(
      workspace.attended.base, through: attentionOutput, rows: pass.rows, into: stream,
      output: record.attentionOutput.base, scratch: workspace.normalized.base)
  }

  /// packed = rotate(norm(QKV norm(stream)))
  private func forwardPacked(
    _ stream: UnsafeMutablePointer<Float>, _ pass: Pass, _ record: BlockRecord, _ workspace: ForwardWorkspace
  ) {
    let (rows, stride, packed) = (pass.rows, heads.packedSize, record.packed.base)
    let input = normalized(stream, attentionNormalization, rows: rows, record.input, record, workspace)
    if let keyValueSource {
      queryKeyValue.forward(input, rows: rows, into: workspace.attended.base)
      takeKeysAndValues(of: keyValueSource, rows: rows, packed, workspace)
    } else {
      queryKeyValue.forward(input, rows: rows, into: packed)
    }
    if let queryKeyValueLimit {
      errata_clip(packed, rows * stride, queryKeyValueLimit)
      record.bounded.base.update(from: packed, count: rows * stride)
    }
    if let headNormalization, !headNormalization.followsRotation {
      headNormalization.forward(packed, stride: stride, rows: rows, recording: record.unnormalized.base)
    }
    // Queries and keys stand side by side, so one call rotates both.
    rotation?.forward(
      packed, stride: stride, rows: rows, heads: rotatedHeadCount, headSize: heads.size, queryHeads: heads.count,
      positions: pass.positions)
    if let headNormalization, headNormalization.followsRotation {
      headNormalization.forward(packed, stride: stride, rows: rows, recording: record.unnormalized.base)
    }
    let size = 2 * heads.keyValueSize
    workspace.shared.withValues(of: pass.layer, rows: rows, size: size) { shared in
      for row in 0..<rows {
        (shared + row * size).update(from: packed + row * stride + heads.querySize, count: size)
      }
    }
  }

  /// Puts the queries that stand in the workspace beside another layer's keys and values.
  private func takeKeysAndValues(
    of source: Int, rows: Int, _ packed: UnsafeMutablePointer<Float>, _ workspace: ForwardWorkspace
  ) {
    let (stride, size) = (heads.packedSize, 2 * heads.keyValueSize)
    workspace.shared.withValues(of: source, rows: rows, size: size) { shared in
      for row in 0..<rows {
        let target = packed + row * stride
        target.update(from: workspace.attended.base + row * heads.querySize, count: heads.querySize)
        (target + heads.querySize).update(from: shared + row * size, count: size)
      }
    }
  }

  /// key = activation(up norm(stream))
  func forwardKeys(
    _ stream: UnsafeMutablePointer<Float>, rows: Int, _ record: BlockRecord, _ workspace: ForwardWorkspace
  ) {
    let input = normalized(stream, perceptronNormalization, rows: rows, record.middle, record, workspace)
    up.forward(input, rows: rows, into: record.up.base)
    if workspace.key.columns != perceptron.width {
      workspace.key = Matrix(uninitializedRows: rows, columns: perceptron.width)
    }
    workspace.key.withUnsafeMutablePointer { perceptron.forward(record.up.base, rows: rows, into: $0) }
  }

  /// stream += down(key)
  func forwardDown(
    _ stream: UnsafeMutablePointer<Float>, rows: Int, _ record: BlockRecord, _ workspace: ForwardWorkspace
  ) {
    workspace.key.withUnsafePointer {
      downJunction.forward(
        $0, through: down, rows: rows, into: stream, output: record.downOutput.base,
        scratch: workspace.normalized.base)
    }
  }

  /// What follows the perceptron's output: stream = scale (norm(stream) + what comes of the per-layer input).
  ///
  /// - Parameters:
  ///   - inputs: the per-layer input of each row, if there is one.
  ///   - scratch: rows x hidden size.
  func forwardEnd(
    _ stream: UnsafeMutablePointer<Float>, rows: Int, inputs: Matrix<Float>?, _ record: BlockRecord,
    scratch: UnsafeMutablePointer<Float>
  ) {
    normalize(stream, leavingNormalization, rows: rows, record.leaving, record, scratch: scratch)
    if let perLayerInput, let inputs, let record = record.perLayerInput {
      perLayerInput.forward(stream, inputs: inputs, record: record)
    }
    if scale != 1 { for index in 0..<rows * hiddenSize { stream[index] *= scale } }
  }

  /// What a branch reads of the stream, which a tape keeps: its norm, or itself.
  private func normalized(
    _ stream: UnsafeMutablePointer<Float>, _ normalization: Normalization?, rows: Int,
    _ storage: AlignedStorage<Float>, _ record: BlockRecord, _ workspace: ForwardWorkspace
  ) -> UnsafePointer<Float> {
    guard let normalization else { return UnsafePointer(stream) }
    if record.isTaped { storage.base.update(from: stream, count: rows * hiddenSize) }
    normalization.forward(stream, rows: rows, into: workspace.normalized.base)
    return UnsafePointer(workspace.normalized.base)
  }

  /// Normalizes the stream itself.
  ///
  /// - Parameters:
  ///   - storage: where a tape keeps what it was.
  ///   - scratch: rows x hidden size.
  func normalize(
    _ stream: UnsafeMutablePointer<Float>, _ normalization: Normalization?, rows: Int,
    _ storage: AlignedStorage<Float>, _ record: BlockRecord, scratch: UnsafeMutablePointer<Float>
  ) {
    guard let normalization else { return }
    let count = rows * hiddenSize
    if record.isTaped { storage.base.update(from: stream, count: count) }
    normalization.forward(stream, rows: rows, into: scratch)
    stream.update(from: scratch, count: count)
  }
}
