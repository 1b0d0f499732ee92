import LinearAlgebra
import Tensors

extension Decoder {
  /// The output of layer `layer`'s down-projection, bias included, for keys given as rows.
  public func perceptronOutput(ofKeys keys: Matrix<Float>, layer: Int) throws -> Matrix<Float> {
    keys.mapped(by: try block(layer).down)
  }

  /// The output of layer `layer` for outputs of its down-projection.
  ///
  /// - Parameters:
  ///   - downOutputs: rows x hidden size.
  ///   - rest: the stream without what the perceptron adds, as `forward` leaves it at `End.keys`.
  ///   - tokens: each row's.
  /// - Returns: rows x hidden size.
  public func blockOutput(
    downOutputs: Matrix<Float>, rest: Matrix<Float>, tokens: [Int32], layer: Int
  ) throws -> Matrix<Float> {
    try blockEnd(downOutputs, rest, tokens, layer).output
  }

  /// The gradient with respect to those outputs of the down-projection, from the gradient with respect to the block's.
  public func downOutputsBackward(
    _ downOutputs: Matrix<Float>, rest: Matrix<Float>, tokens: [Int32], layer: Int, dOutput: Matrix<Float>
  ) throws -> Matrix<Float> {
    let block = try self.block(layer)
    let (rows, count) = (rest.rows, rest.count)
    let record = try blockEnd(downOutputs, rest, tokens, layer).record
    let scratch = AlignedStorage<Float>(count: count)
    var dStream = dOutput
    var result = Matrix<Float>(uninitializedRows: rows, columns: rest.columns)
    dStream.withUnsafeMutablePointer { block.backwardEnd($0, rows: rows, record, scratch: scratch.base) }
    result.withUnsafeMutablePointer { target in
      dStream.withUnsafePointer { gradient in
        downOutputs.withUnsafePointer {
          block.downJunction.outputGradient(gradient, output: $0, count: count, rows: rows, into: target)
        }
      }
    }
    return result
  }

  private func blockEnd(
    _ downOutputs: Matrix<Float>, _ rest: Matrix<Float>, _ tokens: [Int32], _ layer: Int
  ) throws -> (output: Matrix<Float>, record: BlockRecord) {
    let rows = rest.rows
    precondition(downOutputs.rows == rows && tokens.count == rows)
    let block = try self.block(layer)
    let inputs = try PerLayerInputs(self, tokens: tokens)?.values(layer: layer)
    let record = BlockRecord(architecture, layers: layer..<layer + 1, rows: rows, isTaped: true)
    let scratch = AlignedStorage<Float>(count: rest.count)
    var output = rest
    output.withUnsafeMutablePointer { stream in
      downOutputs.withUnsafePointer {
        block.downJunction.add($0, count: rest.count, rows: rows, to: stream, scratch: scratch.base)
      }
      block.forwardEnd(stream, rows: rows, inputs: inputs, record, scratch: scratch.base)
    }
    return (output, record)
  }
}
