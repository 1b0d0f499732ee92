import Tensors

/// How a tensor's factors are to be stored, and what that costs.
public struct StorageChoice: Sendable {
  /// A, d_out x E.
  public let left: StoredFactor
  /// B, E x d_in.
  public let right: StoredFactor
  /// The largest over the facts of norm(D_stored k_e - D k_e) / norm(r_e).
  public let error: Double
}

/// Stores factors in the types that are asked for; by default in the narrowest that keep the edit: the largest over the
/// facts e of norm(D_stored k_e - D k_e) / norm(r_e) stays under `tolerance`.
///
/// Narrow factors are safe only while the Gram matrix is well conditioned, because A's cancellations multiply an error
/// in A or B; so it is measured, not assumed (`FactorTypes.choose`).
///
/// - Parameters:
///   - left: A, d_out x E, as solved.
///   - right: B, E x d_in, as solved.
///   - keys: K^T, E x d_in.
///   - residuals: R^T, E x d_out. A fact whose residual is zero asks for nothing and is left out of the largest.
///   - types: which types; fixed ones are taken whatever they cost.
///   - tolerance: a share of the residual's norm.
/// - Throws: an `ErrataError` if a factor is too large or too small for float32, or leaves its range when it is rounded
///   to a fixed type.
/// - Complexity: O(E^2 (d_in + d_out)) for each width of B and of A that is tried.
public func chooseStorage(
  left: Matrix<Double>, right: Matrix<Double>, keys: Matrix<Double>, residuals: Matrix<Double>,
  types: FactorTypes = .automatic, tolerance: Double = FactorTypes.tolerance,
  using product: MatrixProduct = .plain
) throws -> StorageChoice {
  precondition(left.columns == right.rows && right.columns == keys.columns && keys.rows == right.rows)
  precondition(residuals.rows == left.columns && residuals.columns == left.rows)
  let (singleLeft, singleRight) = (try left.narrowedFactor(.columns), try right.narrowedFactor(.rows))
  let wanted = product(left, by: product(right, by: keys, .transposed))
  let residualNorms = residuals.rowNorms()
  var rights: [DType: (factor: StoredFactor, atKeys: Matrix<Double>)] = [:]
  let choice = try types.choose(tolerance: tolerance) {
    leftType, rightType -> FactorTypes.Choice<(left: StoredFactor, right: StoredFactor)>? in
    if rights[rightType] == nil {
      let factor = StoredFactor(singleRight, dtype: rightType, facts: .rows)
      guard let values = factor.values(facts: .rows) else { return nil }
      rights[rightType] = (factor, product(values.widened(), by: keys, .transposed))
    }
    let (right, atKeys) = rights[rightType]!
    let left = StoredFactor(singleLeft, dtype: leftType, facts: .columns)
    guard let values = left.values(facts: .columns) else { return nil }
    let difference = product(values.widened(), by: atKeys).subtracting(wanted)
    return ((left, right), difference.largestColumn(inUnitsOf: residualNorms))
  }
  return StorageChoice(left: choice.stored.left, right: choice.stored.right, error: choice.error)
}
