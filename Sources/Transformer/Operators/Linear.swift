import LinearAlgebra
import Tensors

/// y = W x + b on float32 rows.
struct Linear {
  /// As stored: [out, in], or [in, out] if `isInputMajor`.
  let weight: StoredWeight
  let isInputMajor: Bool
  /// One value per output.
  let bias: [Float]?

  var inputSize: Int { isInputMajor ? weight.rows : weight.columns }
  var outputSize: Int { isInputMajor ? weight.columns : weight.rows }

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
    multiply(x, inputSize, rows: rows, isAlongRows: !isInputMajor, into: y, accumulate: accumulate || bias != nil)
  }

  /// `dX` (rows x in) = `dY` (rows x out) W.
  func backward(_ dY: UnsafePointer<Float>, rows: Int, into dX: UnsafeMutablePointer<Float>) {
    multiply(dY, outputSize, rows: rows, isAlongRows: isInputMajor, into: dX, accumulate: false)
  }

  /// The products of `a` (rows x `inner`) with each row of the stored matrix if `isAlongRows`, else with each column.
  private func multiply(
    _ a: UnsafePointer<Float>, _ inner: Int, rows: Int, isAlongRows: Bool, into c: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) {
    let (width, columns) = (weight.columns, isAlongRows ? weight.rows : weight.columns)
    weight.forEachPanel { panel, w in
      if isAlongRows {
        LinearAlgebra.multiply(
          rows: rows, columns: panel.count, inner: inner, a, inner, .asStored, w, width, .transposed,
          into: c + panel.lowerBound, columns, beta: accumulate ? 1 : 0)
      } else {
        LinearAlgebra.multiply(
          rows: rows, columns: columns, inner: panel.count, a + panel.lowerBound, inner, .asStored, w, width, .asStored,
          into: c, columns, beta: accumulate || panel.lowerBound > 0 ? 1 : 0)
      }
    }
  }
}
