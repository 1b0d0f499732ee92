import LinearAlgebra
import PatchAlgebra
import Tensors
import WeightPatch

/// The closed form of all three methods (ARCHITECTURE: the one formula), in binary64:
///
///     U = M K           G = K^T U        D = R (G + lambda I)^-1 U^T = A B
///
/// where M is C^-1, or another metric. Facts are rows of K^T and R^T, as they are of B in a patch.
public struct EditSolver: Sendable {
  /// A solved system. `D = left right`.
  public struct Solution: Sendable {
    /// A = R (G + lambda I)^-1, d_out x E.
    public let left: Matrix<Double>
    /// B = U^T, E x d_in.
    public let right: Matrix<Double>
    /// G = K^T M K, E x E.
    public let gram: Matrix<Double>
  }

  private let metric: SolverMetric
  /// Of what the metric was made from.
  var byteCount: Int {
    switch metric.kind {
    case .secondMoments(let factor): factor.byteCount
    case .projection(let basis): basis.count * MemoryLayout<Double>.stride
    case .identity: 0
    }
  }

  /// Factors C once for every batch, method and lambda.
  ///
  /// - Parameters:
  ///   - secondMoment: C, d_in x d_in.
  ///   - ridge: added to the diagonal, in units of its mean.
  /// - Throws: `Cholesky.NotPositiveDefinite`.
  public init(secondMoment: consuming PackedTriangle, ridge: Double = 0) throws {
    // Large: moved from hand to hand, and factored in place.
    secondMoment.addRidge(ridge)
    self.init(try Cholesky(secondMoment))
  }

  /// - Parameter factor: of C with its ridge.
  public init(_ factor: Cholesky) { metric = SolverMetric(.secondMoments(factor)) }

  init(_ metric: SolverMetric) { self.metric = metric }

  /// The solver whose solutions leave these keys' outputs as they are, as far as their slacks say (Spec: the metric).
  ///
  /// - Parameters:
  ///   - keys: H^T, h x d_in.
  ///   - slacks: mu of each; 0 holds exactly.
  /// - Throws: `Cholesky.NotPositiveDefinite` if their slacks are too small to tell them apart.
  /// - Precondition: it holds none yet.
  public func holding(keys: Matrix<Double>, slacks: [Double]) throws(Cholesky.NotPositiveDefinite) -> EditSolver {
    EditSolver(try metric.holding(keys, slacks: slacks))
  }

  /// B = U^T = K^T M, E x d_in.
  ///
  /// - Parameter keys: K^T, E x d_in.
  public func directions(_ keys: Matrix<Double>) -> Matrix<Double> { metric.directions(keys) }

  /// Which facts' keys depend linearly on those of facts before them, or on those that are held.
  ///
  /// - Parameter keys: K^T, E x d_in.
  /// - Complexity: O(E^2 d_in), and O(E^3) more if there are any.
  public func dependentFacts(_ keys: Matrix<Double>) -> [Int] {
    let gram = symmetricGram(keys, directions(keys))
    let unheld = metric.unheldDirections(keys)
    let bound = (0..<keys.rows).filter { fact in
      let free = zip(keys.row(fact), unheld.row(fact)).reduce(0) { $0 + $1.0 * $1.1 }
      return gram[fact, fact] <= Self.heldShare * free
    }
    let others = (0..<keys.rows).filter { !bound.contains($0) }
    let dependent = PatchAlgebra.dependentFacts(inGram: gram.principalSubmatrix(at: others)).map { others[$0] }
    return (bound + dependent).sorted()
  }

  /// A key of whose square held keys leave no more than this share is one of theirs: they come from factors that were
  /// rounded, by a thousandth at most.
  private static let heldShare = 1e-6

  /// - Parameters:
  ///   - keys: K^T, E x d_in.
  ///   - residuals: R^T, E x d_out.
  ///   - lambda: the slack.
  /// - Throws: `Cholesky.NotPositiveDefinite` if lambda is 0 and keys depend linearly on one another.
  public func solve(
    keys: Matrix<Double>, residuals: Matrix<Double>, lambda: Double
  ) throws(Cholesky.NotPositiveDefinite) -> Solution {
    let (system, directions) = system(keys: keys, residuals: residuals)
    return Solution(left: try system.left(slack: .same(lambda)), right: directions, gram: system.gram)
  }

  /// G and R, and B = U^T, E x d_in.
  ///
  /// - Parameters: as of `solve`.
  func system(keys: Matrix<Double>, residuals: Matrix<Double>) -> (GramSystem, directions: Matrix<Double>) {
    let directions = directions(keys)
    return (GramSystem(gram: symmetricGram(keys, directions), residuals: residuals), directions)
  }

  /// ROME as published (one fact): the direction comes from the mean key, the constraint from the bare prompt's.
  ///
  /// - Parameters: keys 1 x d_in, residual 1 x d_out.
  public func solvePublishedROME(
    meanKey: Matrix<Double>, bareKey: Matrix<Double>, residual: Matrix<Double>
  ) -> Solution {
    let direction = directions(meanKey)
    let product = bareKey.multiplied(by: direction, .transposed)
    let left = Matrix(
      rows: residual.columns, columns: 1, elements: residual.elements.map { $0 / product[0, 0] })
    return Solution(left: left, right: direction, gram: product)
  }
}
