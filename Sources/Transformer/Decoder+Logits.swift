import CKernels
import LinearAlgebra
import Tensors

extension Decoder {
  /// The logits (rows x vocabulary) of rows of the last layer's output.
  public func logits(_ hidden: Matrix<Float>) -> Matrix<Float> {
    var normalized = Matrix<Float>(uninitializedRows: hidden.rows, columns: hidden.columns)
    var result = Matrix<Float>(uninitializedRows: hidden.rows, columns: head.outputSize)
    hidden.withUnsafePointer { source in
      normalized.withUnsafeMutablePointer { target in
        finalNormalization.forward(source, rows: hidden.rows, into: target)
        result.withUnsafeMutablePointer {
          head.forward(target, rows: hidden.rows, into: $0)
          if let cap = architecture.logitCap {
            errata_soft_cap($0, head.outputSize, hidden.rows, head.outputSize, 1, cap)
          }
        }
      }
    }
    return result
  }

  /// The gradient with respect to those rows, from the gradient with respect to the logits.
  ///
  /// - Parameter logits: as `logits` gave them for `hidden`.
  public func logitsBackward(
    _ hidden: Matrix<Float>, logits: Matrix<Float>, dLogits: Matrix<Float>
  ) -> Matrix<Float> {
    var dLogits = dLogits
    if let cap = architecture.logitCap {
      dLogits.withUnsafeMutablePointer { gradient in
        logits.withUnsafePointer {
          errata_soft_cap_backward($0, gradient, head.outputSize, hidden.rows, head.outputSize, 1, cap)
        }
      }
    }
    var dNormalized = Matrix<Float>(uninitializedRows: hidden.rows, columns: hidden.columns)
    var result = Matrix<Float>(rows: hidden.rows, columns: hidden.columns)
    hidden.withUnsafePointer { source in
      dLogits.withUnsafePointer { gradient in
        dNormalized.withUnsafeMutablePointer { middle in
          head.backward(gradient, rows: hidden.rows, into: middle)
          result.withUnsafeMutablePointer {
            finalNormalization.backward(source, middle, rows: hidden.rows, addingInto: $0)
          }
        }
      }
    }
    return result
  }
}
