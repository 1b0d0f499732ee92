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
        backwardPerceptron(dStream, weights, record, workspace, rows: rows)
        backwardAttention(
          dStream, weights, record, workspace, plan: tape.plan, positions: positions, store: store, layer: layer)
      }
    }
  }

  /// Forward: hidden += down(activation(up(norm(hidden))))
  private func backwardPerceptron(
    _ dStream: UnsafeMutablePointer<Float>, _ weights: LayerWeights, _ record: Tape.Layer,
    _ workspace: BackwardWorkspace, rows: Int
  ) {
    workspace.dKey.withUnsafeMutablePointer { dKey in
      weights.down.backward(dStream, rows: rows, into: dKey)
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

  /// Forward: hidden += O attention(rotate(QKV norm(hidden)))
  private func backwardAttention(
    _ dStream: UnsafeMutablePointer<Float>, _ weights: LayerWeights, _ record: Tape.Layer,
    _ workspace: BackwardWorkspace, plan: AttentionPlan, positions: [Int32], store: KeyValueStore?, layer: Int
  ) {
    let rows = plan.rowCount
    workspace.dAttended.withUnsafeMutablePointer { dAttended in
      weights.attentionOutput.backward(dStream, rows: rows, into: dAttended)
      workspace.dPacked.withUnsafeMutablePointer { dPacked in
        record.packed.withUnsafePointer { packed in
          record.probabilities.withUnsafePointer { probabilities in
            withKept(store, layer) { kept in
              attention.backward(
                plan, packed: packed, kept: kept, probabilities: probabilities, dOutput: dAttended, into: dPacked)
            }
          }
        }
        rotation?.backward(
          dPacked, stride: architecture.queryKeyValueSize, rows: rows,
          heads: architecture.headCount + architecture.keyValueHeadCount, headSize: architecture.headSize,
          positions: positions)
        workspace.dNormalized.withUnsafeMutablePointer { dNormalized in
          weights.queryKeyValue.backward(dPacked, rows: rows, into: dNormalized)
          record.input.withUnsafePointer {
            weights.attentionNormalization.backward($0, dNormalized, rows: rows, addingInto: dStream)
          }
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
