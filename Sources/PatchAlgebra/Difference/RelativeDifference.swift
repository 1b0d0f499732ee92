import LinearAlgebra
import Tensors
import WeightPatch

extension LowRankFactors {
  /// |D - D'| / |D'|, Frobenius; 0 where D' is zero.
  func relativeDifference(from other: LowRankFactors) -> Double {
    // A patch that was read, or that can be, has finite values.
    PatchAlgebra.relativeDifference(
      of: (leftValues()!.widened(), rightValues()!.widened()),
      from: (other.leftValues()!.widened(), other.rightValues()!.widened()))
  }
}

/// |A B - A' B'| / |A' B'|, Frobenius, for factors that may differ in rank; 0 where A' B' is zero.
///
/// The difference is formed element by element, some rows at a time: from the factors alone it would be the small rest
/// of large numbers.
package func relativeDifference(
  of product: (left: Matrix<Double>, right: Matrix<Double>), from other: (left: Matrix<Double>, right: Matrix<Double>)
) -> Double {
  precondition(product.left.rows == other.left.rows && product.right.columns == other.right.columns)
  let height = 256
  var difference = 0.0
  var whole = 0.0
  for start in stride(from: 0, to: product.left.rows, by: height) {
    let rows = Array(start..<min(start + height, product.left.rows))
    let expected = other.left.rows(at: rows).multiplied(by: other.right)
    let norms = (
      product.left.rows(at: rows).multiplied(by: product.right).subtracting(expected).frobeniusNorm,
      expected.frobeniusNorm
    )
    difference += norms.0 * norms.0
    whole += norms.1 * norms.1
  }
  return whole > 0 ? (difference / whole).squareRoot() : 0
}
