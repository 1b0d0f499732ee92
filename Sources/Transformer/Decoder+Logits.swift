import CKernels
import LinearAlgebra
import Tensors

extension Decoder {
  /// The logits (rows x vocabulary) of rows of the last layer's output.
  public func logits(_ hidden: Matrix<Float>) -> Matrix<Float> {
    var input = hidden
    if let finalNormalization {
      input.withUnsafeMutablePointer { target in
        hidden.withUnsafePointer { finalNormalization.forward($0, rows: hidden.rows, into: target) }
      }
    }
    if let outputProjection { input = input.mapped(by: outputProjection) }
    var result = input.mapped(by: head)
    let count = result.count
    result.withUnsafeMutablePointer { logits in
      if architecture.logitScale != 1 { for index in 0..<count { logits[index] *= architecture.logitScale } }
      if let cap = architecture.logitCap {
        errata_soft_cap(logits, head.outputSize, hidden.rows, head.outputSize, 1, cap)
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
    let count = dLogits.count
    dLogits.withUnsafeMutablePointer { gradient in
      if let cap = architecture.logitCap {
        logits.withUnsafePointer {
          errata_soft_cap_backward($0, gradient, head.outputSize, hidden.rows, head.outputSize, 1, cap)
        }
      }
      if architecture.logitScale != 1 { for index in 0..<count { gradient[index] *= architecture.logitScale } }
    }
    var dInput = dLogits.mappedBack(by: head)
    if let outputProjection { dInput = dInput.mappedBack(by: outputProjection) }
    guard let finalNormalization else { return dInput }
    var result = Matrix<Float>(rows: hidden.rows, columns: hidden.columns)
    result.withUnsafeMutablePointer { target in
      hidden.withUnsafePointer { source in
        dInput.withUnsafePointer {
          finalNormalization.backward(source, $0, rows: hidden.rows, addingInto: target)
        }
      }
    }
    return result
  }
}

extension Matrix<Float> {
  /// The gradients with respect to rows that a linear map has made these gradients' rows of.
  fileprivate func mappedBack(by map: Linear) -> Matrix<Float> {
    var result = Matrix<Float>(uninitializedRows: rows, columns: map.inputSize)
    result.withUnsafeMutablePointer { target in
      withUnsafePointer { map.backward($0, rows: rows, into: target) }
    }
    return result
  }
}
