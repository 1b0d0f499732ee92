import CKernels
import Tensors

/// The buffers of a backward pass, reused from layer to layer.
final class BackwardWorkspace {
  let dKey: AlignedStorage<Float>
  let dUp: AlignedStorage<Float>
  /// Rows x hidden size.
  let dNormalized: AlignedStorage<Float>
  let dAttended: AlignedStorage<Float>
  let dPacked: AlignedStorage<Float>
  let shared: SharedKeyValues

  init(_ architecture: Architecture, rows: Int) {
    dKey = AlignedStorage(count: rows * architecture.largestIntermediateSize)
    dUp = AlignedStorage(count: rows * (architecture.layers.map(architecture.upSize).max() ?? 0))
    dNormalized = AlignedStorage(count: rows * architecture.hiddenSize)
    dAttended = AlignedStorage(count: rows * architecture.largestQuerySize)
    dPacked = AlignedStorage(count: rows * architecture.largestPackedSize)
    shared = SharedKeyValues(architecture)
  }
}

extension Block {
  /// Forward: stream = scale (norm(stream) + what comes of the per-layer input)
  ///
  /// - Parameter scratch: rows x hidden size.
  func backwardEnd(
    _ dStream: UnsafeMutablePointer<Float>, rows: Int, _ record: BlockRecord, scratch: UnsafeMutablePointer<Float>
  ) {
    if scale != 1 { for index in 0..<rows * hiddenSize { dStream[index] *= scale } }
    if let perLayerInput, let record = record.perLayerInput {
      perLayerInput.backward(dStream, rows: rows, record: record)
    }
    normalizeBackward(dStream, leavingNormalization, rows: rows, record.leaving, scratch: scratch)
  }

  /// Forward: stream += down(activation(up norm(stream)))
  func backwardPerceptron(
    _ dStream: UnsafeMutablePointer<Float>, rows: Int, _ record: BlockRecord, _ workspace: BackwardWorkspace
  ) {
    let dNormalized = workspace.dNormalized.base
    downJunction.backward(
      dStream, through: down, output: record.downOutput.base, rows: rows, into: workspace.dKey.base,
      scratch: dNormalized)
    perceptron.backward(record.up.base, workspace.dKey.base, rows: rows, into: workspace.dUp.base)
    up.backward(workspace.dUp.base, rows: rows, into: dNormalized)
    addInputGradient(dNormalized, perceptronNormalization, rows: rows, record.middle, to: dStream)
  }

  /// Forward: stream += O attended
  func backwardAttentionOutput(
    _ dStream: UnsafeMutablePointer<Float>, rows: Int, _ record: BlockRecord, _ workspace: BackwardWorkspace
  ) {
    attentionJunction.backward(
      dStream, through: attentionOutput, output: record.attentionOutput.base, rows: rows,
      into: workspace.dAttended.base, scratch: workspace.dNormalized.base)
  }

  /// Forward: attended = attention(rotate(norm(QKV norm(stream))))
  func backwardAttention(
    _ dStream: UnsafeMutablePointer<Float>, _ pass: Pass, _ record: BlockRecord, _ workspace: BackwardWorkspace
  ) {
    let (rows, stride, dPacked) = (pass.rows, heads.packedSize, workspace.dPacked.base)
    attention.backward(
      pass.plan, packed: record.packed.base, kept: pass.kept, probabilities: record.probabilities!.base,
      dOutput: workspace.dAttended.base, into: dPacked)
    exchangeSharedGradients(pass, dPacked, workspace)
    if let headNormalization, headNormalization.followsRotation {
      headNormalization.backward(record.unnormalized.base, dPacked, stride: stride, rows: rows)
    }
    rotation?.backward(
      dPacked, stride: stride, rows: rows, heads: rotatedHeadCount, headSize: heads.size, queryHeads: heads.count,
      positions: pass.positions)
    if let headNormalization, !headNormalization.followsRotation {
      headNormalization.backward(record.unnormalized.base, dPacked, stride: stride, rows: rows)
    }
    if let queryKeyValueLimit {
      errata_clip_backward(record.bounded.base, dPacked, rows * stride, queryKeyValueLimit)
    }
    if keyValueSource != nil {
      for row in 0..<rows {
        (workspace.dAttended.base + row * heads.querySize).update(
          from: dPacked + row * stride, count: heads.querySize)
      }
    }
    queryKeyValue.backward(
      keyValueSource == nil ? dPacked : workspace.dAttended.base, rows: rows, into: workspace.dNormalized.base)
    addInputGradient(workspace.dNormalized.base, attentionNormalization, rows: rows, record.input, to: dStream)
  }

  /// Hands the gradients of keys and values that are another layer's to that layer, or takes those of its own.
  private func exchangeSharedGradients(
    _ pass: Pass, _ dPacked: UnsafeMutablePointer<Float>, _ workspace: BackwardWorkspace
  ) {
    let size = 2 * heads.keyValueSize
    workspace.shared.withValues(of: keyValueSource ?? pass.layer, rows: pass.rows, size: size) { shared in
      for row in 0..<pass.rows {
        let own = dPacked + row * heads.packedSize + heads.querySize
        let others = shared + row * size
        for index in 0..<size {
          if keyValueSource == nil { own[index] += others[index] } else { others[index] += own[index] }
        }
      }
    }
  }

  /// Adds the gradient with respect to what a branch reads, its norm or the stream itself, to the stream's.
  private func addInputGradient(
    _ dInput: UnsafePointer<Float>, _ normalization: Normalization?, rows: Int, _ stream: AlignedStorage<Float>,
    to dStream: UnsafeMutablePointer<Float>
  ) {
    if let normalization {
      normalization.backward(stream.base, dInput, rows: rows, addingInto: dStream)
    } else {
      for index in 0..<rows * hiddenSize { dStream[index] += dInput[index] }
    }
  }

  /// Forward: stream = norm(stream)
  ///
  /// - Parameters:
  ///   - stream: what it was.
  ///   - scratch: rows x hidden size.
  func normalizeBackward(
    _ dStream: UnsafeMutablePointer<Float>, _ normalization: Normalization?, rows: Int,
    _ stream: AlignedStorage<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    guard let normalization else { return }
    let count = rows * hiddenSize
    scratch.update(repeating: 0, count: count)
    normalization.backward(stream.base, dStream, rows: rows, addingInto: scratch)
    dStream.update(from: scratch, count: count)
  }
}
