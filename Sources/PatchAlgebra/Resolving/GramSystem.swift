import LinearAlgebra
import Tensors

/// One tensor's solved system as far as its factors remember it, which is all that solving it again needs:
///
///     A = R (G + lambda I)^-1        so that        R = A (G + lambda I)
///
/// B = U^T depends neither on lambda nor on other facts, so it never changes.
public struct GramSystem: Sendable {
  /// G = K^T C^-1 K, E x E, symmetric.
  public let gram: Matrix<Double>
  /// R, d_out x E.
  public let residuals: Matrix<Double>

  init(gram: Matrix<Double>, residuals: Matrix<Double>) {
    self.gram = gram
    self.residuals = residuals
  }

  /// - Parameters:
  ///   - left: A, d_out x E.
  ///   - gram: G, E x E.
  ///   - lambda: the slack that A was solved with.
  public init(left: Matrix<Double>, gram: Matrix<Double>, lambda: Double) {
    self.init(gram: gram, residuals: left.multiplied(by: Self.adding(lambda, toDiagonalOf: gram)))
  }

  /// The system of some of its facts, in the given order.
  public func keeping(_ facts: [Int]) -> GramSystem {
    GramSystem(
      gram: gram.rows(at: facts).transposed().rows(at: facts),
      residuals: residuals.transposed().rows(at: facts).transposed())
  }

  /// A = R (G + lambda I)^-1, d_out x E.
  ///
  /// - Throws: `Cholesky.NotPositiveDefinite` if keys depend linearly on one another and lambda is too small.
  public func left(lambda: Double) throws(Cholesky.NotPositiveDefinite) -> Matrix<Double> {
    try Cholesky(Self.adding(lambda, toDiagonalOf: gram)).solveRight(residuals)
  }

  private static func adding(_ lambda: Double, toDiagonalOf gram: Matrix<Double>) -> Matrix<Double> {
    var system = gram
    for fact in 0..<system.rows { system[fact, fact] += lambda }
    return system
  }
}
