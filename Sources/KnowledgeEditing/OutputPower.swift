import LinearAlgebra
import Tensors

extension LanguageModel {
  /// tr(W C W^T), the mean squared norm of a down-projection's output, where C is the mean of some outer products.
  ///
  /// - Parameters:
  ///   - sum: sum k k^T, d_in x d_in, symmetric.
  ///   - tokenCount: of how many keys.
  /// - Throws: an `ErrataError` if the weight cannot be read, or the result is not finite.
  func outputPower(ofKeysWithSum sum: Matrix<Double>, tokenCount: Int, layer: Int) throws -> Double {
    let stored = try checkpoint.matrix(named: decoder.editedTensor(layer)).widened()
    let weight = architecture.storesTransposed ? stored.transposed() : stored
    let product = weight.multiplied(by: sum)
    let power = product.withUnsafePointer { p in
      weight.withUnsafePointer { w in
        (0..<product.count).reduce(0.0) { $0 + p[$1] * w[$1] } / Double(tokenCount)
      }
    }
    guard power.isFinite else { throw ErrataError.keysNotFinite(checkpoint.path, layer: layer) }
    return power
  }
}
