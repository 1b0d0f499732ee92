import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct LinearTests {
  private static let (rows, inputs, outputs) = (5, 7, 11)
  private let weight: [Float]
  private let bias: [Double]
  private let x: [Double]
  private let dY: [Double]

  init() {
    var random = SeededGenerator(seed: 20)
    // Numbers that every weight type holds exactly.
    weight = random.gaussians(Self.inputs * Self.outputs).map { Float(($0 * 32).rounded() / 32) }
    bias = random.gaussians(Self.outputs)
    x = random.gaussians(Self.rows * Self.inputs)
    dY = random.gaussians(Self.rows * Self.outputs)
  }

  /// - Parameter panelRows: eight times the number of rows of the stored matrix that are converted at a time.
  private func linear(isInputMajor: Bool, hasBias: Bool, dtype: DType, panelRows: Int) -> Linear {
    let matrix = Matrix(rows: Self.outputs, columns: Self.inputs, elements: weight)
    let stored = isInputMajor ? matrix.transposed() : matrix
    let bytes = stored.elements.withUnsafeBufferPointer { narrow($0, to: dtype) }
    let part = StoredWeight.Part(source: .held(bytes), dtype: dtype, rows: 0..<stored.rows)
    return Linear(
      weight: StoredWeight([part], columns: stored.columns, buffers: PanelBuffers(capacity: 0, leastRows: panelRows)),
      isInputMajor: isInputMajor, bias: hasBias ? bias.single : nil)
  }

  private func reference(_ x: [Double], hasBias: Bool) -> [Double] {
    (0..<Self.rows).flatMap { row in
      (0..<Self.outputs).map { output in
        (0..<Self.inputs).reduce(hasBias ? bias[output] : 0) {
          $0 + x[row * Self.inputs + $1] * Double(weight[output * Self.inputs + $1])
        }
      }
    }
  }

  /// At once, and by panels of rows, down to a single one.
  @Test(arguments: [false, true], [(DType.f32, 512), (.bf16, 512), (.bf16, 8), (.f16, 16), (.bf16, 32)])
  func matchesTheReference(isInputMajor: Bool, stored: (dtype: DType, panelRows: Int)) {
    for hasBias in [false, true] {
      let linear = linear(
        isInputMajor: isInputMajor, hasBias: hasBias, dtype: stored.dtype, panelRows: stored.panelRows)
      #expect(linear.inputSize == Self.inputs && linear.outputSize == Self.outputs)
      let expected = reference(x, hasBias: hasBias)
      let y = filled(expected.count) { linear.forward(x.single, rows: Self.rows, into: $0) }
      #expect(relativeError(y.double, expected) < 1e-6)
      let added = filled(expected.count, initial: 3) {
        linear.forward(x.single, rows: Self.rows, into: $0, accumulate: true)
      }
      #expect(relativeError(added.double, expected.map { $0 + 3 }) < 1e-6)
      let dX = filled(x.count) { linear.backward(dY.single, rows: Self.rows, into: $0) }
      let gradient = numericalGradient(at: x) { dot(reference($0, hasBias: hasBias), dY) }
      #expect(relativeError(dX.double, gradient) < 1e-4)
    }
  }
}
