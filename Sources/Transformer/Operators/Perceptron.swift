import CKernels
import LinearAlgebra
import Tensors

/// From the up map's output to the key, the down-projection's input (formulas: CKernels, activation.h).
struct Perceptron {
  enum Kind {
    case plain(Activation)
    case gated(Activation)
    case xielu(errata_xielu)
  }

  let kind: Kind
  /// The length of a key.
  let width: Int

  /// The values of `up` per row.
  private var upWidth: Int {
    if case .gated = kind { return 2 * width }
    return width
  }

  /// `key` (rows x width) from `up` (rows x width, or rows x 2 width if gated).
  func forward(_ up: UnsafePointer<Float>, rows: Int, into key: UnsafeMutablePointer<Float>) {
    let (up, key) = (Shared(up), Shared(key))
    Profile.measure("activations") {
      Threads.forRanges(rows, grain: 16) { range in
        let source = up.pointer + range.lowerBound * upWidth
        let target = key.pointer + range.lowerBound * width
        switch kind {
        case .gated(let activation):
          errata_gated_forward(activation.rawValue, source, target, range.count, width)
        case .plain(let activation):
          errata_activation_forward(activation.rawValue, source, target, range.count * width)
        case .xielu(let parameters):
          errata_xielu_forward(parameters, source, target, range.count * width)
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
        let (source, target) = (up.pointer + range.lowerBound * upWidth, dUp.pointer + range.lowerBound * upWidth)
        switch kind {
        case .gated(let activation):
          errata_gated_backward(activation.rawValue, source, gradient, target, range.count, width)
        case .plain(let activation):
          errata_activation_backward(activation.rawValue, source, gradient, target, range.count * width)
        case .xielu(let parameters):
          errata_xielu_backward(parameters, source, gradient, target, range.count * width)
        }
      }
    }
  }
}
