import CKernels
import LinearAlgebra
import Tensors

/// RMS norm or layer norm over rows of float32 (formulas: CKernels, normalization.h).
struct Normalization {
  let kind: Architecture.Normalization
  let weight: [Float]
  let bias: [Float]?

  var width: Int { weight.count }

  /// `y` (rows x width) from `x`.
  func forward(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    let (x, y) = (Shared(x), Shared(y))
    Profile.measure("normalizations") {
      Threads.forRanges(rows, grain: 64) { range in
        let offset = range.lowerBound * width
        forwardRows(x.pointer + offset, rows: range.count, into: y.pointer + offset)
      }
    }
  }

  /// Adds what `forward` makes of `x` to `stream`.
  ///
  /// - Parameter scratch: rows x width, overwritten.
  func add(
    _ x: UnsafePointer<Float>, rows: Int, to stream: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    forward(x, rows: rows, into: scratch)
    for index in 0..<rows * width { stream[index] += scratch[index] }
  }

  /// Adds the gradient with respect to `x` to `dX` (rows x width).
  func backward(
    _ x: UnsafePointer<Float>, _ dY: UnsafePointer<Float>, rows: Int, addingInto dX: UnsafeMutablePointer<Float>
  ) {
    let (x, dY, dX) = (Shared(x), Shared(dY), Shared(dX))
    Profile.measure("normalizations") {
      Threads.forRanges(rows, grain: 64) { range in
        let offset = range.lowerBound * width
        backwardRows(x.pointer + offset, dY.pointer + offset, rows: range.count, addingInto: dX.pointer + offset)
      }
    }
  }

  /// `forward` on the calling thread.
  func forwardRows(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    switch kind {
    case .rootMeanSquare(let epsilon): errata_rms_norm_forward(x, weight, epsilon, y, rows, width)
    case .layer(let epsilon): withBias { errata_layer_norm_forward(x, weight, $0, epsilon, y, rows, width) }
    }
  }

  /// `backward` on the calling thread.
  func backwardRows(
    _ x: UnsafePointer<Float>, _ dY: UnsafePointer<Float>, rows: Int, addingInto dX: UnsafeMutablePointer<Float>
  ) {
    switch kind {
    case .rootMeanSquare(let epsilon): errata_rms_norm_backward(x, weight, epsilon, dY, dX, rows, width)
    case .layer(let epsilon): errata_layer_norm_backward(x, weight, epsilon, dY, dX, rows, width)
    }
  }

  private func withBias(_ body: (UnsafePointer<Float>?) -> Void) {
    if let bias { bias.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
  }
}
