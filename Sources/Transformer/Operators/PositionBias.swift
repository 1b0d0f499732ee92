import CKernels
import Foundation

/// What attention scores get for where the key stands (ALiBi; Press et al. 2022): slope times position, for each head.
/// The distance to the query, less than a constant for all its keys, makes no difference to the softmax.
///
/// A gradient does not reach it: the backward pass only knows the scale.
struct PositionBias: Sendable {
  private let positionCount: Int
  /// Heads x positions.
  private let table: [Float]

  /// - Parameter attentionScale: what the scores are multiplied by.
  init(_ bias: Architecture.LinearBias, positionCount: Int, attentionScale: Float) {
    // The kernels take whole vectors of columns.
    self.positionCount = (positionCount + 7) / 8 * 8
    let count = self.positionCount
    table = bias.slopes.flatMap { slope in
      (0..<count).map { position in
        guard bias.isScaledBFloat16 else { return slope * Float(position) }
        return Self.bfloat16(Self.bfloat16(slope) * Self.bfloat16(Float(position))) * attentionScale
      }
    }
  }

  /// The slopes of the paper: a geometric sequence for a power of two, interleaved with the next one for other counts.
  static func slopes(headCount: Int) -> [Float] {
    func sequence(_ count: Int) -> [Float] {
      let base = Float(exp2(-exp2(-(log2(Double(count)) - 3))))
      return (1...count).map { Float(pow(Double(base), Double($0))) }
    }
    let power = 1 << (Int.bitWidth - 1 - headCount.leadingZeroBitCount)
    let others = sequence(2 * power).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    return sequence(power) + others.prefix(headCount - power)
  }

  /// Rounded to the nearest bfloat16, ties to even.
  private static func bfloat16(_ value: Float) -> Float {
    let bits = value.bitPattern
    return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
  }

  /// scores = scale scores + bias, for the first `columns` positions.
  func add(
    to scores: UnsafeMutablePointer<Float>, stride: Int, rows: Int, columns: Int, head: Int, scale: Float
  ) {
    precondition(columns <= positionCount)
    table.withUnsafeBufferPointer {
      errata_bias_scores(scores, stride, rows, columns, scale, $0.baseAddress! + head * positionCount)
    }
  }
}
