import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct LinearTests {
  private static let (rows, inputs, outputs) = (5, 7, 11)
  private let weight: [Double]
  private let bias: [Double]
  private let x: [Double]
  private let dY: [Double]

  init() {
    var random = SeededGenerator(seed: 20)
    weight = random.gaussians(Self.inputs * Self.outputs)
    bias = random.gaussians(Self.outputs)
    x = random.gaussians(Self.rows * Self.inputs)
    dY = random.gaussians(Self.rows * Self.outputs)
  }

  private func linear(isInputMajor: Bool, hasBias: Bool) -> Linear {
    let stored = Matrix(rows: Self.outputs, columns: Self.inputs, elements: weight.single)
    return Linear(
      weight: isInputMajor ? stored.transposed() : stored, isInputMajor: isInputMajor, bias: hasBias ? bias.single : nil
    )
  }

  private func reference(_ x: [Double], hasBias: Bool) -> [Double] {
    (0..<Self.rows).flatMap { row in
      (0..<Self.outputs).map { output in
        (0..<Self.inputs).reduce(hasBias ? bias[output] : 0) {
          $0 + x[row * Self.inputs + $1] * weight[output * Self.inputs + $1]
        }
      }
    }
  }

  @Test(arguments: [false, true], [false, true]) func matchesTheReference(isInputMajor: Bool, hasBias: Bool) {
    let linear = linear(isInputMajor: isInputMajor, hasBias: hasBias)
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
