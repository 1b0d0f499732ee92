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
    Threads.forRanges(rows, grain: 64) { range in
      let (source, target) = (x.pointer + range.lowerBound * width, y.pointer + range.lowerBound * width)
      switch kind {
      case .rootMeanSquare(let epsilon):
        errata_rms_norm_forward(source, weight, epsilon, target, range.count, width)
      case .layer(let epsilon):
        withBias { errata_layer_norm_forward(source, weight, $0, epsilon, target, range.count, width) }
      }
    }
  }

  /// Adds the gradient with respect to `x` to `dX` (rows x width).
  func backward(
    _ x: UnsafePointer<Float>, _ dY: UnsafePointer<Float>, rows: Int, addingInto dX: UnsafeMutablePointer<Float>
  ) {
    let (x, dY, dX) = (Shared(x), Shared(dY), Shared(dX))
    Threads.forRanges(rows, grain: 64) { range in
      let offset = range.lowerBound * width
      switch kind {
      case .rootMeanSquare(let epsilon):
        errata_rms_norm_backward(
          x.pointer + offset, weight, epsilon, dY.pointer + offset, dX.pointer + offset, range.count, width)
      case .layer(let epsilon):
        errata_layer_norm_backward(
          x.pointer + offset, weight, epsilon, dY.pointer + offset, dX.pointer + offset, range.count, width)
      }
    }
  }

  private func withBias(_ body: (UnsafePointer<Float>?) -> Void) {
    if let bias { bias.withUnsafeBufferPointer { body($0.baseAddress) } } else { body(nil) }
  }
}
