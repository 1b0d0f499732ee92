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
/// Narrow factors are safe only while the Gram matrix is well conditioned, because A's cancellations multiply an error in
/// A or B; so it is measured, not assumed. Tried in this order: both float16; A float32 and B float16; both float32, which
/// is taken even if it misses the tolerance, since there is nothing wider.
///
/// - Parameters:
///   - left: A, d_out x E, as solved.
///   - right: B, E x d_in, as solved.
///   - keys: K, d_in x E.
///   - residuals: R, d_out x E. A fact whose residual is zero asks for nothing and is left out of the largest.
///   - types: which types; fixed ones are taken whatever they cost.
///   - tolerance: a share of the residual's norm.
/// - Throws: an `ErrataError` if a factor is too large or too small for float32, or leaves its range when it is rounded to a fixed type.
/// - Complexity: O(E^2 (d_in + d_out)) for each width of B and of A that is tried.
public func chooseStorage(
  left: Matrix<Double>, right: Matrix<Double>, keys: Matrix<Double>, residuals: Matrix<Double>,
  types: FactorTypes = .automatic, tolerance: Double = FactorTypes.tolerance,
  _ product: MatrixProduct = plainProduct
) throws -> StorageChoice {
  precondition(left.columns == right.rows && right.columns == keys.rows && keys.columns == right.rows)
  precondition(residuals.rows == left.rows && residuals.columns == left.columns)
  let (singleLeft, singleRight) = (try left.narrowedFactor(.columns), try right.narrowedFactor(.rows))
  let wanted = product(left, product(right, keys))
  let residualNorms = residuals.columnNorms()
  var rights: [DType: (factor: StoredFactor, atKeys: Matrix<Double>)] = [:]

  /// nil if rounding carries a value out of range.
  func choice(_ leftType: DType, _ rightType: DType) -> StorageChoice? {
    if rights[rightType] == nil {
      let factor = StoredFactor(singleRight, dtype: rightType, facts: .rows)
      guard let values = factor.values(facts: .rows) else { return nil }
      rights[rightType] = (factor, product(values.widened(), keys))
    }
    let (right, atKeys) = rights[rightType]!
    let left = StoredFactor(singleLeft, dtype: leftType, facts: .columns)
    guard let values = left.values(facts: .columns) else { return nil }
    let differences = product(values.widened(), atKeys).subtracting(wanted).columnNorms()
    let errors = zip(differences, residualNorms).map { $1 > 0 ? $0 / $1 : 0 }
    return StorageChoice(left: left, right: right, error: errors.max() ?? 0)
  }

  switch types {
  case .fixed(let leftType, let rightType):
    guard let choice = choice(leftType, rightType) else { throw ErrataError.factorsOutOfRange(types) }
    return choice
  case .automatic:
    for (leftType, rightType) in [(DType.f16, DType.f16), (.f32, .f16)] {
      if let choice = choice(leftType, rightType), choice.error < tolerance { return choice }
    }
    return choice(.f32, .f32)!
  }
}
