import CKernels
import Foundation
import LinearAlgebra
import Tensors

/// Rotary position embedding of the queries and keys in packed query-key-value rows.
struct Rotation {
  private let pairs: Int
  private let isInterleaved: Bool
  private let cosine: [Float]
  private let sine: [Float]
  /// What queries are multiplied by at each position; empty for 1.
  private let queryScale: [Float]

  /// Tables for positions `0..<positionCount`. Angles are float32 products, as Hugging Face computes them.
  init(_ embedding: RotaryEmbedding, positionCount: Int) {
    pairs = embedding.inverseFrequencies.count
    isInterleaved = embedding.isInterleaved
    var cosine: [Float] = []
    var sine: [Float] = []
    for position in 0..<positionCount {
      for frequency in embedding.inverseFrequencies {
        let angle = Double(Float(position) * frequency)
        cosine.append(Float(cos(angle)) * embedding.magnitude)
        sine.append(Float(sin(angle)) * embedding.magnitude)
      }
    }
    self.cosine = cosine
    self.sine = sine
    queryScale =
      embedding.queryScaling.map { scaling in
        (0..<positionCount).map { Float(1 + scaling.beta * log(Double(1 + $0 / scaling.period))) }
      } ?? []
  }

  /// The number of positions that the tables cover.
  var positionCount: Int { pairs == 0 ? .max : cosine.count / pairs }

  /// Rotates `heads` heads at the start of each row of `x` (row stride `stride`), in place: queries, then keys.
  func forward(
    _ x: UnsafeMutablePointer<Float>, stride: Int, rows: Int, heads: Int, headSize: Int, queryHeads: Int = 0,
    positions: [Int32]
  ) {
    apply(x, stride, rows, heads, headSize, positions, direction: 1)
    scaleQueries(x, stride, rows, queryHeads * headSize, positions)
  }

  /// The gradient of a rotation is the rotation back, scaled alike.
  func backward(
    _ dX: UnsafeMutablePointer<Float>, stride: Int, rows: Int, heads: Int, headSize: Int, queryHeads: Int = 0,
    positions: [Int32]
  ) {
    scaleQueries(dX, stride, rows, queryHeads * headSize, positions)
    apply(dX, stride, rows, heads, headSize, positions, direction: -1)
  }

  private func scaleQueries(
    _ x: UnsafeMutablePointer<Float>, _ stride: Int, _ rows: Int, _ size: Int, _ positions: [Int32]
  ) {
    guard !queryScale.isEmpty else { return }
    for row in 0..<rows {
      let scale = queryScale[Int(positions[row])]
      if scale == 1 { continue }
      for index in 0..<size { x[row * stride + index] *= scale }
    }
  }

  private func apply(
    _ x: UnsafeMutablePointer<Float>, _ stride: Int, _ rows: Int, _ heads: Int, _ headSize: Int,
    _ positions: [Int32], direction: Float
  ) {
    let x = Shared(x)
    Threads.forRanges(rows, grain: 64) { range in
      positions.withUnsafeBufferPointer { positions in
        errata_rotate(
          x.pointer + range.lowerBound * stride, stride, range.count, heads, headSize, pairs, isInterleaved ? 1 : 0,
          positions.baseAddress! + range.lowerBound, cosine, sine, direction)
      }
    }
  }
}
