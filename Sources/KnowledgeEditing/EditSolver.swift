import LinearAlgebra
import PatchAlgebra
import Tensors

/// The closed form of all three methods (ARCHITECTURE: the one formula), in binary64:
///
///     U = C^-1 K        G = K^T U        D = R (G + lambda I)^-1 U^T = A B
public struct EditSolver: Sendable {
  /// A solved system. `D = left right`.
  public struct Solution: Sendable {
    /// A = R (G + lambda I)^-1, d_out x E.
    public let left: Matrix<Double>
    /// B = U^T, E x d_in.
    public let right: Matrix<Double>
    /// G = K^T C^-1 K, E x E.
    public let gram: Matrix<Double>
  }

  private let factor: Cholesky
  /// Of the factor.
  var byteCount: Int { factor.byteCount }

  /// Factors C once for every batch, method and lambda.
  ///
  /// - Parameters:
  ///   - secondMoment: C, d_in x d_in.
  ///   - ridge: added to the diagonal, in units of its mean.
  /// - Throws: `Cholesky.NotPositiveDefinite`.
  public init(secondMoment: consuming PackedTriangle, ridge: Double = 0) throws {
    // Large: moved from hand to hand, and factored in place.
    secondMoment.addRidge(ridge)
    factor = try Cholesky(secondMoment)
  }

  /// - Parameter factor: of C with its ridge.
  public init(_ factor: Cholesky) { self.factor = factor }

  /// C^-1 K, d_in x E, for keys K of that shape.
  public func directions(_ keys: Matrix<Double>) -> Matrix<Double> {
    factor.solve(keys)
  }

  /// Which facts' keys depend linearly on those of facts before them.
  ///
  /// - Parameter keys: K, d_in x E.
  /// - Complexity: O(E^2 d_in), and O(E^3) more if there are any.
  public func dependentFacts(_ keys: Matrix<Double>) -> [Int] {
    PatchAlgebra.dependentFacts(inGram: Self.gram(keys, directions(keys)))
  }

  /// - Parameters:
  ///   - keys: K, d_in x E.
  ///   - residuals: R, d_out x E.
  ///   - lambda: the slack.
  /// - Throws: `Cholesky.NotPositiveDefinite` if lambda is 0 and keys depend linearly on one another.
  public func solve(
    keys: Matrix<Double>, residuals: Matrix<Double>, lambda: Double
  ) throws(Cholesky.NotPositiveDefinite) -> Solution {
    let directions = directions(keys)
    let gram = Self.gram(keys, directions)
    var system = gram
    for index in 0..<system.rows { system[index, index] += lambda }
    let left = try Cholesky(system).solveRight(residuals)
    return Solution(left: left, right: directions.transposed(), gram: gram)
  }

  /// ROME as published (one fact): the direction comes from the mean key, the constraint from the bare prompt's.
  public func solvePublishedROME(
    meanKey: Matrix<Double>, bareKey: Matrix<Double>, residual: Matrix<Double>
  ) -> Solution {
    let direction = directions(meanKey)
    let product = bareKey.multiplied(.transposed, by: direction)
    var left = residual
    for row in 0..<left.rows { left[row, 0] /= product[0, 0] }
    return Solution(left: left, right: direction.transposed(), gram: product)
  }

  /// K^T U, symmetric but for rounding: made so.
  private static func gram(_ keys: Matrix<Double>, _ directions: Matrix<Double>) -> Matrix<Double> {
    var gram = keys.multiplied(.transposed, by: directions)
    for row in 0..<gram.rows {
      for column in 0..<row {
        let mean = (gram[row, column] + gram[column, row]) / 2
        gram[row, column] = mean
        gram[column, row] = mean
      }
    }
    return gram
  }
}
