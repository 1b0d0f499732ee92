import CKernels
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct PerceptronTests {
  private static func reference(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .silu: x / (1 + exp(-x))
    case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .geluErf: 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
    case .relu: max(x, 0)
    case .reluSquared: max(x, 0) * max(x, 0)
    case .quickGELU: x / (1 + exp(-1.702 * x))
    }
  }

  private static func reference(
    _ activation: Activation, isGated: Bool, _ up: [Double], width: Int
  ) -> [Double] {
    guard isGated else { return up.map { reference(activation, $0) } }
    return stride(from: 0, to: up.count, by: 2 * width).flatMap { start in
      (start..<start + width).map { reference(activation, up[$0]) * up[$0 + width] }
    }
  }

  /// Small, usual and saturated inputs, none at the kink of ReLU.
  private static func inputs(_ count: Int, using random: inout SeededGenerator) -> [Double] {
    let special = [1e-3, -1e-3, 0.19, 0.21, -0.2, 5, -5, 12, -12, 30, -30, 100, -100]
    return random.gaussians(count).enumerated().map { index, value in
      let input = index % 3 == 0 ? special[index / 3 % special.count] : 2 * value
      return Double(Float(abs(input) < 5e-4 ? 0.5 : input))
    }
  }

  /// 41 rows: several shares of the work; 13 columns: no multiple of the vector width.
  @Test(arguments: Activation.allCases, [false, true]) func matchesTheReference(activation: Activation, isGated: Bool) {
    var random = SeededGenerator(seed: 22)
    let (rows, width) = (41, 13)
    let perceptron = Perceptron(kind: isGated ? .gated(activation) : .plain(activation), width: width)
    let up = Self.inputs(rows * width * (isGated ? 2 : 1), using: &random)
    let dKey = random.gaussians(rows * width)
    let expected = Self.reference(activation, isGated: isGated, up, width: width)
    let key = filled(rows * width) { perceptron.forward(up.single, rows: rows, into: $0) }
    #expect(relativeError(key.double, expected) < 1e-6)
    let dUp = filled(up.count) { perceptron.backward(up.single, dKey.single, rows: rows, into: $0) }
    let gradient = numericalGradient(at: up) {
      dot(Self.reference(activation, isGated: isGated, $0, width: width), dKey)
    }
    #expect(relativeError(dUp.double, gradient) < 1e-4)
  }

  /// Value by value: a norm over many values would hide an error at small ones.
  @Test(arguments: Activation.allCases) func everyMagnitude(activation: Activation) {
    let x = (-3000...3000).map { Double(Float(Double($0) / 100 + 0.001)) }
    let perceptron = Perceptron(kind: .plain(activation), width: x.count)
    let key = filled(x.count) { perceptron.forward(x.single, rows: 1, into: $0) }
    let ones = [Float](repeating: 1, count: x.count)
    let slopes = filled(x.count) { perceptron.backward(x.single, ones, rows: 1, into: $0) }
    for (index, value) in x.enumerated() {
      let expected = Self.reference(activation, value)
      let scale = max(abs(value), abs(expected), 1e-3)
      #expect(abs(Double(key[index]) - expected) < 2e-6 * scale, "\(activation) at \(value)")
      let slope =
        (Self.reference(activation, value + 1e-5) - Self.reference(activation, value - 1e-5)) / 2e-5
      #expect(abs(Double(slopes[index]) - slope) < 5e-6 * max(1, abs(slope)), "the slope of \(activation) at \(value)")
    }
  }

  /// The learned activation, on both sides of its two kinks.
  @Test func xielu() {
    let parameters = errata_xielu(positive: 0.7, negative: 1.3, beta: 0.5, epsilon: -1e-6)
    func reference(_ x: Double) -> Double {
      x > 0 ? 0.7 * x * x + 0.5 * x : 1.3 * (expm1(min(x, -1e-6)) - x) + 0.5 * x
    }
    let x = (-600...600).map { Double(Float(Double($0) / 50 + 0.003)) }
    let perceptron = Perceptron(kind: .xielu(parameters), width: x.count)
    let key = filled(x.count) { perceptron.forward(x.single, rows: 1, into: $0) }
    let ones = [Float](repeating: 1, count: x.count)
    let slopes = filled(x.count) { perceptron.backward(x.single, ones, rows: 1, into: $0) }
    for (index, value) in x.enumerated() {
      let expected = reference(value)
      #expect(abs(Double(key[index]) - expected) < 1e-6 * max(abs(expected), 1), "at \(value)")
      let slope = (reference(value + 1e-5) - reference(value - 1e-5)) / 2e-5
      #expect(abs(Double(slopes[index]) - slope) < 1e-5 * max(abs(slope), 1), "the slope at \(value)")
    }
  }
}
