import LinearAlgebra
import Tensors

/// y = W x + b on float32 rows, and what terms add to it.
struct Linear {
  /// As stored: [out, in], or [in, out] if `isInputMajor`.
  let weight: StoredWeight
  let isInputMajor: Bool
  /// One value per output.
  let bias: [Float]?
  /// What stands beside the weights.
  var terms: [PlacedTerm] = []

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
    for term in terms { term.forward(x, rows: rows, into: y, outputs: outputSize) }
  }

  /// `dX` (rows x in) = `dY` (rows x out) W.
  func backward(_ dY: UnsafePointer<Float>, rows: Int, into dX: UnsafeMutablePointer<Float>) {
    multiply(dY, outputSize, rows: rows, isAlongRows: isInputMajor, into: dX, accumulate: false)
    for term in terms { term.backward(dY, rows: rows, into: dX, outputs: outputSize) }
  }

  /// The products of `a` (rows x `inner`) with each row of the stored matrix if `isAlongRows`, else with each column.
  ///
  /// Each thread takes some of the outputs, and converts the weights that it multiplies with: what it has converted is
  /// in its own cache, and no thread waits for another's conversion.
  private func multiply(
    _ a: UnsafePointer<Float>, _ inner: Int, rows: Int, isAlongRows: Bool, into c: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) {
    let weight = weight
    let outputs = isAlongRows ? weight.rows : weight.columns
    guard rows > 0, outputs > 0, inner > 0 else { return }
    Profile.measure("matrix products") {
      Profile.count(operations: 2 * rows * outputs * inner)
      let (a, c) = (Shared(a), Shared(c))
      // To convert a weight takes the time of some multiply-adds.
      Threads.forShares(outputs, cost: (rows + 8) * inner) { share in
        if isAlongRows {
          weight.forEachPanel(rows: share, columns: 0..<weight.columns, productRows: rows) { panel, w, stride in
            multiplySerially(
              rows: rows, columns: panel.count, inner: inner, a.pointer, inner, .asStored, w, stride, .transposed,
              into: c.pointer + panel.lowerBound, outputs, beta: accumulate ? 1 : 0)
          }
        } else {
          weight.forEachPanel(rows: 0..<weight.rows, columns: share, productRows: rows) { panel, w, stride in
            multiplySerially(
              rows: rows, columns: share.count, inner: panel.count, a.pointer + panel.lowerBound, inner, .asStored, w,
              stride, .asStored, into: c.pointer + share.lowerBound, outputs,
              beta: accumulate || panel.lowerBound > 0 ? 1 : 0)
          }
        }
      }
    }
  }
}
