import CKernels
import Tensors

/// What a layer adds to the stream from inputs of its own (Gemma 4):
///
///     stream += norm(projection(activation(gate stream) * input))
struct PerLayerInput {
  let gate: Linear
  let projection: Linear
  let normalization: Normalization
  /// From the gate's output beside the input to their product.
  let perceptron: Perceptron

  /// What `forward` records and `backward` reads, per row.
  struct Record {
    /// The gate's output, then the input: rows x 2 size.
    let gated: AlignedStorage<Float>
    /// The projection's output: rows x hidden size.
    let output: AlignedStorage<Float>

    init(rows: Int, size: Int, hiddenSize: Int) {
      gated = AlignedStorage(count: rows * 2 * size)
      output = AlignedStorage(count: rows * hiddenSize)
    }

    static func floatCountPerRow(size: Int, hiddenSize: Int) -> Int { 2 * size + hiddenSize }
  }

  private var junction: Junction { Junction(normalization: normalization, scale: 1) }

  /// - Parameters:
  ///   - stream: rows x hidden size.
  ///   - inputs: rows x size.
  func forward(_ stream: UnsafeMutablePointer<Float>, inputs: Matrix<Float>, record: Record) {
    let (rows, size) = (inputs.rows, perceptron.width)
    let product = AlignedStorage<Float>(count: rows * size)
    gate.forward(stream, rows: rows, into: product.base)
    inputs.withUnsafePointer { inputs in
      for row in 0..<rows {
        let target = record.gated.base + row * 2 * size
        target.update(from: product.base + row * size, count: size)
        (target + size).update(from: inputs + row * size, count: size)
      }
    }
    perceptron.forward(record.gated.base, rows: rows, into: product.base)
    let scratch = AlignedStorage<Float>(count: rows * projection.outputSize)
    junction.forward(
      product.base, through: projection, rows: rows, into: stream, output: record.output.base, scratch: scratch.base)
  }

  /// Adds the gradient by way of the gate to `dStream` (rows x hidden size); the inputs are constants.
  func backward(_ dStream: UnsafeMutablePointer<Float>, rows: Int, record: Record) {
    let (size, hiddenSize) = (perceptron.width, projection.outputSize)
    let dGated = AlignedStorage<Float>(count: rows * 2 * size)
    let dProduct = AlignedStorage<Float>(count: rows * size)
    let scratch = AlignedStorage<Float>(count: rows * hiddenSize)
    junction.backward(
      dStream, through: projection, output: record.output.base, rows: rows, into: dProduct.base, scratch: scratch.base)
    perceptron.backward(record.gated.base, dProduct.base, rows: rows, into: dGated.base)
    for row in 0..<rows {
      (dProduct.base + row * size).update(from: dGated.base + row * 2 * size, count: size)
    }
    gate.backward(dProduct.base, rows: rows, into: scratch.base)
    for index in 0..<rows * hiddenSize { dStream[index] += scratch.base[index] }
  }
}
