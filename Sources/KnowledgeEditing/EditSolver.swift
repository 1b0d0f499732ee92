import LinearAlgebra
import PatchAlgebra
import Tensors
import WeightPatch

/// The closed form of all three methods (ARCHITECTURE: the one formula), in binary64:
///
///     U = C^-1 K        G = K^T U        D = R (G + lambda I)^-1 U^T = A B
///
/// Facts are rows of K^T and R^T, as they are of B in a patch.
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

  /// B = U^T = (C^-1 K)^T, E x d_in.
  ///
  /// - Parameter keys: K^T, E x d_in.
  public func directions(_ keys: Matrix<Double>) -> Matrix<Double> {
    factor.solveRight(keys)
  }

  /// Which facts' keys depend linearly on those of facts before them.
  ///
  /// - Parameter keys: K^T, E x d_in.
  /// - Complexity: O(E^2 d_in), and O(E^3) more if there are any.
  public func dependentFacts(_ keys: Matrix<Double>) -> [Int] {
    PatchAlgebra.dependentFacts(inGram: Self.gram(keys, directions(keys)))
  }

  /// - Parameters:
  ///   - keys: K^T, E x d_in.
  ///   - residuals: R^T, E x d_out.
  ///   - lambda: the slack.
  /// - Throws: `Cholesky.NotPositiveDefinite` if lambda is 0 and keys depend linearly on one another.
  public func solve(
    keys: Matrix<Double>, residuals: Matrix<Double>, lambda: Double
  ) throws(Cholesky.NotPositiveDefinite) -> Solution {
    let directions = directions(keys)
    let system = GramSystem(gram: Self.gram(keys, directions), residuals: residuals)
    return Solution(left: try system.left(slack: .same(lambda)), right: directions, gram: system.gram)
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

  /// K^T U, symmetric but for rounding: made so.
  private static func gram(_ keys: Matrix<Double>, _ directions: Matrix<Double>) -> Matrix<Double> {
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
}
