import LinearAlgebra
import Tensors

extension Decoder {
  /// Turns the gradient with respect to the output of the tape's last layer into the gradient with respect to the input
  /// of its first, in place of `gradient` (rows x hidden size). Weights and kept rows are constants.
  ///
  /// - Parameters:
  ///   - positions, store: as `forward` had them.
  ///   - tape: what `forward` recorded.
  public func backward(
    _ gradient: inout Matrix<Float>, positions: [Int32], store: KeyValueStore?, tape: Tape
  ) throws {
    let rows = tape.plan.rowCount
    precondition(gradient.rows == rows)
    guard rows > 0 else { return }
    let workspace = BackwardWorkspace(architecture, rows: rows)
    for layer in tape.layers.reversed() {
      let weights = try self.layer(layer)
      let record = tape.records[layer - tape.layers.lowerBound]
      gradient.withUnsafeMutablePointer { dStream in
        // In parallel, attention's output has the gradient from before the perceptron adds to it.
        let isParallel = architecture.residual == .parallel
        if isParallel { backwardAttentionOutput(dStream, weights, record, workspace, rows: rows) }
        backwardPerceptron(dStream, weights, record, workspace, rows: rows)
        if !isParallel { backwardAttentionOutput(dStream, weights, record, workspace, rows: rows) }
        backwardAttention(
          dStream, weights, record, workspace, plan: tape.plan, positions: positions, store: store, layer: layer)
      }
    }
  }

  /// Forward: hidden += down(activation(up(norm(hidden)))), or the norm of that
  private func backwardPerceptron(
    _ dStream: UnsafeMutablePointer<Float>, _ weights: LayerWeights, _ record: Tape.Layer,
    _ workspace: BackwardWorkspace, rows: Int
  ) {
    workspace.dKey.withUnsafeMutablePointer { dKey in
      withBranchGradient(dStream, weights.downNormalization, record.downOutput, workspace, rows: rows) {
        weights.down.backward($0, rows: rows, into: dKey)
      }
      workspace.dUp.withUnsafeMutablePointer { dUp in
        record.up.withUnsafePointer { perceptron.backward($0, dKey, rows: rows, into: dUp) }
        workspace.dNormalized.withUnsafeMutablePointer { dNormalized in
          weights.up.backward(dUp, rows: rows, into: dNormalized)
          record.middle.withUnsafePointer {
            weights.perceptronNormalization.backward($0, dNormalized, rows: rows, addingInto: dStream)
          }
        }
      }
    }
  }

  /// Forward: hidden += O attended, or the norm of that
  private func backwardAttentionOutput(
    _ dStream: UnsafePointer<Float>, _ weights: LayerWeights, _ record: Tape.Layer, _ workspace: BackwardWorkspace,
    rows: Int
  ) {
    workspace.dAttended.withUnsafeMutablePointer { dAttended in
      withBranchGradient(dStream, weights.attentionOutputNormalization, record.attentionOutput, workspace, rows: rows) {
        weights.attentionOutput.backward($0, rows: rows, into: dAttended)
      }
    }
  }

  /// The gradient with respect to what a branch gave, before its normalization if there is one.
  private func withBranchGradient(
    _ dStream: UnsafePointer<Float>, _ normalization: Normalization?, _ output: Matrix<Float>,
    _ workspace: BackwardWorkspace, rows: Int, _ body: (UnsafePointer<Float>) -> Void
  ) {
    guard let normalization else { return body(dStream) }
    workspace.dNormalized.withUnsafeMutablePointer { dOutput in
      dOutput.update(repeating: 0, count: output.count)
      output.withUnsafePointer { normalization.backward($0, dStream, rows: rows, addingInto: dOutput) }
      body(dOutput)
    }
  }

  /// Forward: attended = attention(rotate(norm(QKV norm(hidden))))
  private func backwardAttention(
    _ dStream: UnsafeMutablePointer<Float>, _ weights: LayerWeights, _ record: Tape.Layer,
    _ workspace: BackwardWorkspace, plan: AttentionPlan, positions: [Int32], store: KeyValueStore?, layer: Int
  ) {
    let rows = plan.rowCount
    let stride = architecture.queryKeyValueSize
    workspace.dPacked.withUnsafeMutablePointer { dPacked in
      workspace.dAttended.withUnsafePointer { dAttended in
        record.packed.withUnsafePointer { packed in
          record.probabilities.withUnsafePointer { probabilities in
            withKept(store, layer) { kept in
              attention.backward(
                plan, packed: packed, kept: kept, probabilities: probabilities, dOutput: dAttended, into: dPacked)
            }
          }
        }
      }
      rotation?.backward(
        dPacked, stride: stride, rows: rows, heads: architecture.headCount + architecture.keyValueHeadCount,
        headSize: architecture.headSize, positions: positions)
      if let normalization = weights.headNormalization {
        record.unnormalized.withUnsafePointer {
          normalization.backward($0, dPacked, stride: stride, rows: rows)
        }
      }
      workspace.dNormalized.withUnsafeMutablePointer { dNormalized in
        weights.queryKeyValue.backward(dPacked, rows: rows, into: dNormalized)
        record.input.withUnsafePointer {
          weights.attentionNormalization.backward($0, dNormalized, rows: rows, addingInto: dStream)
        }
      }
    }
  }
}

private final class BackwardWorkspace {
  var dKey: Matrix<Float>
  var dUp: Matrix<Float>
  var dNormalized: Matrix<Float>
  var dAttended: Matrix<Float>
  var dPacked: Matrix<Float>

  init(_ architecture: Architecture, rows: Int) {
    dKey = Matrix(uninitializedRows: rows, columns: architecture.intermediateSize)
    dUp = Matrix(uninitializedRows: rows, columns: architecture.upSize)
    dNormalized = Matrix(uninitializedRows: rows, columns: architecture.hiddenSize)
    dAttended = Matrix(uninitializedRows: rows, columns: architecture.querySize)
    dPacked = Matrix(uninitializedRows: rows, columns: architecture.queryKeyValueSize)
  }
}
