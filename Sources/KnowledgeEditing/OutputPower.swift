import LinearAlgebra
import Tensors

extension LanguageModel {
  /// tr(W C W^T), the mean squared norm of a down-projection's output, where C is the mean of some outer products.
  ///
  /// - Parameters:
  ///   - sum: sum k k^T, d_in x d_in.
  ///   - tokenCount: of how many keys.
  /// - Throws: an `ErrataError` if the weight cannot be read, or the result is not finite.
  func outputPower(ofKeysWithSum sum: PackedTriangle, tokenCount: Int, layer: Int) throws -> Double {
    let stored = try checkpoint.matrix(named: decoder.editedTensor(layer))
    let (isTransposed, outputs) = (architecture.storesTransposed, architecture.hiddenSize)
    var power = 0.0
    // Some rows of W at a time, which need little memory in binary64.
    for start in stride(from: 0, to: outputs, by: 256) {
      let range = start..<min(start + 256, outputs)
      var rows = Matrix<Double>(uninitializedRows: range.count, columns: sum.size)
      for row in range {
        for column in 0..<sum.size {
          rows[row - start, column] = Double(isTransposed ? stored[column, row] : stored[row, column])
        }
      }
      let product = sum.product(ofRows: rows)
      power += product.withUnsafePointer { p in
        rows.withUnsafePointer { w in (0..<product.count).reduce(0.0) { $0 + p[$1] * w[$1] } }
      }
    }
    power /= Double(tokenCount)
    guard power.isFinite else { throw ErrataError.keysNotFinite(checkpoint.path, layer: layer) }
    return power
  }
}
