import LinearAlgebra
import Tensors
import WeightPatch

extension LowRankFactors {
  /// The keys that B was made of under the metric of C^-1 (Spec: the metric):
  ///
  ///     K^T = B (C + rho I) + B H diag(1/mu) H^T
  ///
  /// As exact as B is stored: float16 puts some 4e-4 of a key's norm beside it.
  ///
  /// - Parameters:
  ///   - secondMoment: C, d_in x d_in.
  ///   - ridge: rho.
  ///   - held: H^T, h x d_in, and mu of each; none of them 0.
  /// - Returns: K^T, E x d_in; nil if the factors do not say what `B H` is.
  package func recoveredKeys(
    secondMoment: PackedTriangle, ridge: Double, held: (keys: Matrix<Double>, slacks: [Double])? = nil
  ) -> Matrix<Double>? {
    guard let right = rightValues()?.widened() else { return nil }
    var keys = secondMoment.product(ofRows: right)
    if ridge > 0 {
      for row in 0..<keys.rows {
        for column in 0..<keys.columns { keys[row, column] += ridge * right[row, column] }
      }
    }
    guard let held else { return keys }
    guard let heldProduct, heldProduct.columns == held.keys.rows else { return nil }
    let part = heldProduct.scalingColumns(by: held.slacks.map { 1 / $0 }).multiplied(by: held.keys)
    for row in 0..<keys.rows {
      for column in 0..<keys.columns { keys[row, column] += part[row, column] }
    }
    return keys
  }
}
