import LinearAlgebra
import Tensors

extension Decoder {
  /// The output of layer `layer`'s down-projection, bias included, for keys given as rows.
  public func perceptronOutput(ofKeys keys: Matrix<Float>, layer: Int) throws -> Matrix<Float> {
    var result = Matrix<Float>(uninitializedRows: keys.rows, columns: architecture.hiddenSize)
    let down = try self.layer(layer).down
    keys.withUnsafePointer { source in
      result.withUnsafeMutablePointer { down.forward(source, rows: keys.rows, into: $0) }
    }
    return result
  }

  /// Adds to `stream` (rows x hidden size) what layer `layer` adds for outputs of its down-projection: themselves, or
  /// their normalization.
  public func add(downOutputs: Matrix<Float>, layer: Int, to stream: inout Matrix<Float>) throws {
    let normalization = try self.layer(layer).downNormalization
    let rows = stream.rows
    precondition(downOutputs.rows == rows)
    var scratch = Matrix<Float>(uninitializedRows: rows, columns: architecture.hiddenSize)
    stream.withUnsafeMutablePointer { stream in
      downOutputs.withUnsafePointer { outputs in
        guard let normalization else {
          for index in 0..<downOutputs.count { stream[index] += outputs[index] }
          return
        }
        scratch.withUnsafeMutablePointer { normalization.add(outputs, rows: rows, to: stream, scratch: $0) }
      }
    }
  }

  /// The gradient with respect to those outputs, from the gradient with respect to `stream`.
  public func downOutputsBackward(
    _ downOutputs: Matrix<Float>, layer: Int, dStream: Matrix<Float>
  ) throws -> Matrix<Float> {
    guard let normalization = try self.layer(layer).downNormalization else { return dStream }
    var result = Matrix<Float>(rows: dStream.rows, columns: dStream.columns)
    result.withUnsafeMutablePointer { target in
      downOutputs.withUnsafePointer { outputs in
        dStream.withUnsafePointer { normalization.backward(outputs, $0, rows: dStream.rows, addingInto: target) }
      }
    }
    return result
  }
}
