import CKernels
import LinearAlgebra
import Tensors

/// From the up map's output to the key, the down-projection's input (formulas: CKernels, activation.h).
struct Perceptron {
  let kind: Architecture.MultilayerPerceptron
  /// The length of a key.
  let width: Int

  /// `key` (rows x width) from `up` (rows x width, or rows x 2 width if gated).
  func forward(_ up: UnsafePointer<Float>, rows: Int, into key: UnsafeMutablePointer<Float>) {
    let (up, key) = (Shared(up), Shared(key))
    Profile.measure("activations") {
      Threads.forRanges(rows, grain: 16) { range in
        let target = key.pointer + range.lowerBound * width
        switch kind {
        case .gated(let activation):
          errata_gated_forward(
            activation.rawValue, up.pointer + range.lowerBound * 2 * width, target, range.count, width)
        case .plain(let activation):
          errata_activation_forward(
            activation.rawValue, up.pointer + range.lowerBound * width, target, range.count * width)
        }
      }
    }
  }

  /// `dUp` (as `up`) from the same `up` and `dKey` (rows x width).
  func backward(
    _ up: UnsafePointer<Float>, _ dKey: UnsafePointer<Float>, rows: Int, into dUp: UnsafeMutablePointer<Float>
  ) {
    let (up, dKey, dUp) = (Shared(up), Shared(dKey), Shared(dUp))
    Profile.measure("activations") {
      Threads.forRanges(rows, grain: 16) { range in
        let gradient = dKey.pointer + range.lowerBound * width
        switch kind {
        case .gated(let activation):
          let offset = range.lowerBound * 2 * width
          errata_gated_backward(
            activation.rawValue, up.pointer + offset, gradient, dUp.pointer + offset, range.count, width)
        case .plain(let activation):
          let offset = range.lowerBound * width
          errata_activation_backward(
            activation.rawValue, up.pointer + offset, gradient, dUp.pointer + offset, range.count * width)
        }
      }
    }
  }
}
