import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct NormalizationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let isLayer: Bool
    let hasBias: Bool
    let width: Int
    let rows: Int
    /// The mean of the input: a layer norm subtracts it.
    let offset: Double
    let testDescription: String

    init(isLayer: Bool, hasBias: Bool = false, width: Int, rows: Int = 3, offset: Double) {
      (self.isLayer, self.hasBias, self.width, self.rows, self.offset) = (isLayer, hasBias, width, rows, offset)
      testDescription = "\(isLayer ? "layer" : "rms") \(hasBias ? "with bias" : "") \(rows) x \(width) around \(offset)"
    }
  }

  static let cases =
    [false, true].flatMap { isLayer in
      [
        Case(isLayer: isLayer, width: 1, offset: 2), Case(isLayer: isLayer, width: 37, offset: 0),
        Case(isLayer: isLayer, width: 64, offset: -3), Case(isLayer: isLayer, width: 64, offset: 100),
        // Enough rows for several threads.
        Case(isLayer: isLayer, width: 4, rows: 200, offset: 1),
      ]
    } + [Case(isLayer: true, hasBias: true, width: 37, offset: 1)]

  private static let epsilon = Double(Float(1e-3))

  private static func reference(_ x: [Double], _ weight: [Double], _ bias: [Double]?, isLayer: Bool) -> [Double] {
    let width = weight.count
    return stride(from: 0, to: x.count, by: width).flatMap { start in
      let row = Array(x[start..<start + width])
      let mean = isLayer ? row.reduce(0, +) / Double(width) : 0
      let square = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
      return row.indices.map { (row[$0] - mean) / (square + epsilon).squareRoot() * weight[$0] + (bias?[$0] ?? 0) }
    }
  }

  @Test(arguments: cases) func matchesTheReference(_ test: Case) {
    var random = SeededGenerator(seed: 21)
    let weight = random.gaussians(test.width)
    let bias = test.hasBias ? random.gaussians(test.width) : nil
    let x = random.gaussians(test.rows * test.width).map { Double(Float($0 + test.offset)) }
    let dY = random.gaussians(x.count)
    let kind: Architecture.Normalization =
      test.isLayer ? .layer(epsilon: Float(Self.epsilon)) : .rootMeanSquare(epsilon: Float(Self.epsilon))
    let normalization = Normalization(kind: kind, weight: weight.single, bias: bias?.single)

    let expected = Self.reference(x, weight, bias, isLayer: test.isLayer)
    let y = filled(x.count) { normalization.forward(x.single, rows: test.rows, into: $0) }
    #expect(relativeError(y.double, expected) < 1e-5)

    let gradient = numericalGradient(at: x) { dot(Self.reference($0, weight, bias, isLayer: test.isLayer), dY) }
    let before = random.gaussians(x.count)
    var dX = before.single
    dX.withUnsafeMutableBufferPointer {
      normalization.backward(x.single, dY.single, rows: test.rows, addingInto: $0.baseAddress!)
    }
    #expect(relativeError(dX.double, zip(before, gradient).map { $0 + $1 }) < 1e-4)
  }
}
