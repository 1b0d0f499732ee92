import LinearAlgebra
import PatchAlgebra
import Tensors
import WeightPatch

/// M in `U = M K`, `G = K^T M K` (Spec: the metric): d_in x d_in, symmetric, never formed.
struct SolverMetric: Sendable {
  /// What M is before keys are held.
  enum Kind: Sendable {
    /// C^-1, by the factor of C with its ridge.
    case secondMoments(Cholesky)
    /// P = Q^T Q (AlphaEdit, Fang et al. 2025, equation 10).
    ///
    /// - Parameter basis: Q, r x d_in, with orthonormal rows.
    case projection(basis: Matrix<Double>)
    /// I.
    case identity
  }

  /// Keys at which D is to stay small, with what Woodbury's identity takes of them.
  private struct Held: Sendable {
    /// H^T, h x d_in.
    let keys: Matrix<Double>
    /// H^T M, h x d_in.
    let directions: Matrix<Double>
    /// Of diag(mu) + H^T M H, h x h.
    let factor: Cholesky
  }

  let kind: Kind
  private var held: Held?

  init(_ kind: Kind) { self.kind = kind }

  /// The metric that holds keys besides: `M - M H (diag(mu) + H^T M H)^-1 H^T M`, which for C^-1 is
  /// `(C + H diag(1/mu) H^T)^-1`, without another factorization of C.
  ///
  /// - Parameters:
  ///   - keys: H^T, h x d_in.
  ///   - slacks: mu of each; 0 holds exactly. Of these keys, one that depends on others is held with them.
  /// - Throws: `Cholesky.NotPositiveDefinite` if their slacks are too small to tell them apart.
  /// - Precondition: no keys are held yet.
  /// - Complexity: O(h^2 d_in), and two triangular solves of h columns for C^-1.
  func holding(_ keys: Matrix<Double>, slacks: [Double]) throws(Cholesky.NotPositiveDefinite) -> SolverMetric {
    precondition(held == nil && keys.rows == slacks.count)
    guard keys.rows > 0 else { return self }
    let exact = slacks.indices.filter { slacks[$0] == 0 }
    let exactKeys = keys.rows(at: exact)
    let dependent = exact.isEmpty ? [] : dependentFacts(inGram: symmetricGram(exactKeys, unheldDirections(exactKeys)))
    let redundant = Set(dependent.map { exact[$0] })
    let kept = slacks.indices.filter { !redundant.contains($0) }
    let (keys, slacks) = (keys.rows(at: kept), kept.map { slacks[$0] })
    let directions = unheldDirections(keys)
    let system = symmetricGram(keys, directions).addingToDiagonal(.perTerm(slacks))
    let factor = try Cholesky(system)
    var metric = self
    metric.held = Held(keys: keys, directions: directions, factor: factor)
    return metric
  }

  /// `U^T = K^T M`, E x d_in.
  ///
  /// - Parameter keys: K^T, E x d_in.
  func directions(_ keys: Matrix<Double>) -> Matrix<Double> {
    let free = unheldDirections(keys)
    guard let held else { return free }
    let shares = held.factor.solveRight(free.multiplied(by: held.keys, .transposed))
    return free.subtracting(shares.multiplied(by: held.directions))
  }

  /// K^T M as if no keys were held, E x d_in.
  func unheldDirections(_ keys: Matrix<Double>) -> Matrix<Double> {
    switch kind {
    case .secondMoments(let factor): factor.solveRight(keys)
    case .projection(let basis): keys.multiplied(by: basis, .transposed).multiplied(by: basis)
    case .identity: keys
    }
  }
}

/// K^T U, symmetric but for rounding: made so.
///
/// - Parameters: K^T and U^T, E x d_in.
func symmetricGram(_ keys: Matrix<Double>, _ directions: Matrix<Double>) -> Matrix<Double> {
  var gram = keys.multiplied(by: directions, .transposed)
  for row in 0..<gram.rows {
    for column in 0..<row {
      let mean = (gram[row, column] + gram[column, row]) / 2
      gram[row, column] = mean
      gram[column, row] = mean
    }
  }
  return gram
}
