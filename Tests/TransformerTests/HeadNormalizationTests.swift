import Foundation
import TestSupport
import Testing

@testable import Transformer

@Suite struct HeadNormalizationTests {
  private static let (headCount, keyValueHeadCount, headSize) = (3, 2, 5)
  /// Values, and something else, stand behind queries and keys.
  private static let (size, stride) = (25, 37)
  private static let epsilon = 1e-3

  private static func reference(_ packed: [Double], _ weights: (query: [Double], key: [Double])) -> [Double] {
    var result = packed
    for row in 0..<packed.count / stride {
      for head in 0..<headCount + keyValueHeadCount {
        let weight = head < headCount ? weights.query : weights.key
        let start = row * stride + head * headSize
        let square = (0..<headSize).reduce(0) { $0 + packed[start + $1] * packed[start + $1] } / Double(headSize)
        for index in 0..<headSize {
          result[start + index] = packed[start + index] / (square + epsilon).squareRoot() * weight[index]
        }
      }
    }
    return result
  }

  /// One row, some, and enough for several threads.
  @Test(arguments: [1, 4, 150]) func matchesTheReference(rows: Int) {
    var random = SeededGenerator(seed: 36)
    let weights = (query: random.gaussians(Self.headSize), key: random.gaussians(Self.headSize))
    let kind = Architecture.Normalization.rootMeanSquare(epsilon: Float(Self.epsilon))
    let normalization = HeadNormalization(
      query: [Normalization(kind: kind, weight: weights.query.single, bias: nil)],
      key: [Normalization(kind: kind, weight: weights.key.single, bias: nil)],
      heads: .init(count: Self.headCount, keyValueCount: Self.keyValueHeadCount, size: Self.headSize))
    let x = random.gaussians(rows * Self.stride)
    let dY = random.gaussians(x.count)
    var y = x.single
    let unnormalized = filled(rows * Self.size) { unnormalized in
      y.withUnsafeMutableBufferPointer {
        normalization.forward($0.baseAddress!, stride: Self.stride, rows: rows, recording: unnormalized)
      }
    }
    #expect(relativeError(y.double, Self.reference(x, weights)) < 1e-6)
    var dX = dY.single
    dX.withUnsafeMutableBufferPointer {
      normalization.backward(unnormalized, $0.baseAddress!, stride: Self.stride, rows: rows)
    }
    // Rows do not depend on one another: the last is enough.
    let last = (rows - 1) * Self.stride..<rows * Self.stride
    let gradient = numericalGradient(at: Array(x[last])) { dot(Self.reference($0, weights), Array(dY[last])) }
    #expect(relativeError(Array(dX[last]).double, gradient) < 1e-4)
  }
}
