import LinearAlgebra
import Tensors

/// y = W x + b on float32 rows.
struct Linear {
  /// The weight as stored: [out, in], or [in, out] if `isInputMajor`.
  let weight: Matrix<Float>
  let isInputMajor: Bool
  /// One value per output.
  let bias: [Float]?

  var inputSize: Int { isInputMajor ? weight.rows : weight.columns }
  var outputSize: Int { isInputMajor ? weight.columns : weight.rows }
  var byteCount: Int { weight.count * 4 }

  /// `y` (rows x out) = `x` (rows x in) W^T + b, or that added to `y`.
  func forward(
    _ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>, accumulate: Bool = false
  ) {
    let outputSize = self.outputSize
    if let bias {
      for row in 0..<rows {
        let target = y + row * outputSize
        if accumulate {
          for index in 0..<outputSize { target[index] += bias[index] }
        } else {
          target.update(from: bias, count: outputSize)
        }
      }
    }
    weight.withUnsafePointer { w in
      multiply(
        rows: rows, columns: outputSize, inner: inputSize, x, inputSize, .asStored, w, weight.columns,
        isInputMajor ? .asStored : .transposed, into: y, outputSize, beta: accumulate || bias != nil ? 1 : 0)
    }
  }

  /// `dX` (rows x in) = `dY` (rows x out) W.
  func backward(_ dY: UnsafePointer<Float>, rows: Int, into dX: UnsafeMutablePointer<Float>) {
    weight.withUnsafePointer { w in
      multiply(
        rows: rows, columns: inputSize, inner: outputSize, dY, outputSize, .asStored, w, weight.columns,
        isInputMajor ? .transposed : .asStored, into: dX, inputSize)
    }
  }
}
