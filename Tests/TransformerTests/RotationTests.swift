import Foundation
import TestSupport
import Testing

@testable import Transformer

@Suite struct RotationTests {
  private static let positions: [Int32] = [0, 1, 7, 3, 49, 7]
  private static let (heads, stride) = (3, 30)
  private static let frequencies: [Float] = [1, 0.3, 0.01]

  /// Pairs as complex numbers, multiplied by e^(i angle).
  private func reference(_ x: [Double], isInterleaved: Bool, headSize: Int) -> [Double] {
    var result = x
    for (row, position) in Self.positions.enumerated() {
      for head in 0..<Self.heads {
        for (pair, frequency) in Self.frequencies.enumerated() {
          let start = row * Self.stride + head * headSize
          let real = start + (isInterleaved ? 2 * pair : pair)
          let imaginary = start + (isInterleaved ? 2 * pair + 1 : pair + Self.frequencies.count)
          let angle = Double(Float(position) * frequency)
          result[real] = x[real] * cos(angle) - x[imaginary] * sin(angle)
          result[imaginary] = x[real] * sin(angle) + x[imaginary] * cos(angle)
        }
      }
    }
    return result
  }

  /// Whole heads, and heads of which only the first six values are rotated.
  @Test(arguments: [false, true], [6, 9]) func matchesTheReference(isInterleaved: Bool, headSize: Int) {
    var random = SeededGenerator(seed: 23)
    let rotation = Rotation(
      RotaryEmbedding(inverseFrequencies: Self.frequencies, isInterleaved: isInterleaved), positionCount: 50)
    #expect(rotation.positionCount == 50)
    let rows = Self.positions.count
    let x = random.gaussians(rows * Self.stride)
    let dY = random.gaussians(x.count)
    var y = x.single
    y.withUnsafeMutableBufferPointer {
      rotation.forward(
        $0.baseAddress!, stride: Self.stride, rows: rows, heads: Self.heads, headSize: headSize,
        positions: Self.positions)
    }
    #expect(relativeError(y.double, reference(x, isInterleaved: isInterleaved, headSize: headSize)) < 1e-6)
    // What lies behind the heads, and behind the rotated part of a head, keeps its bits.
    for row in 0..<rows {
      for column in 0..<Self.stride where column >= Self.heads * headSize || column % headSize >= 6 {
        #expect(y[row * Self.stride + column] == Float(x[row * Self.stride + column]))
      }
    }
    var dX = dY.single
    dX.withUnsafeMutableBufferPointer {
      rotation.backward(
        $0.baseAddress!, stride: Self.stride, rows: rows, heads: Self.heads, headSize: headSize,
        positions: Self.positions)
    }
    let gradient = numericalGradient(at: x) {
      dot(reference($0, isInterleaved: isInterleaved, headSize: headSize), dY)
    }
    #expect(relativeError(dX.double, gradient) < 1e-4)
  }
}
