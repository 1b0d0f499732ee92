import LinearAlgebra
import Tensors
import WeightPatch

/// One tensor's solved system as far as its factors remember it, which is all that solving it again needs:
///
///     A = R (G + lambda I)^-1        so that        R = A (G + lambda I)
///
/// where diag(lambda) may stand for lambda I, and G is that of any metric: what keys are held is in G and B already.
/// B = U^T depends neither on lambda nor on other facts, so it never changes.
public struct GramSystem: Sendable {
  /// G = K^T C^-1 K, E x E, symmetric.
  public let gram: Matrix<Double>
  /// R^T, E x d_out: a row for each fact.
  public let residuals: Matrix<Double>

  /// - Parameters:
  ///   - gram: G, E x E.
  ///   - residuals: R^T, E x d_out.
  package init(gram: Matrix<Double>, residuals: Matrix<Double>) {
    self.gram = gram
    self.residuals = residuals
  }

  /// - Parameters:
  ///   - left: A, d_out x E.
  ///   - gram: G, E x E.
  ///   - slack: what A was solved with.
  public init(left: Matrix<Double>, gram: Matrix<Double>, slack: Manifest.TermSlack) {
    self.init(gram: gram, residuals: solvedResiduals(left, gram, slack, using: .blas))
  }

  /// The system of some of its facts, in the given order.
  public func keeping(_ facts: [Int]) -> GramSystem {
    GramSystem(gram: gram.principalSubmatrix(at: facts), residuals: residuals.rows(at: facts))
  }

  /// A = R (G + lambda I)^-1, d_out x E.
  ///
  /// - Throws: `Cholesky.NotPositiveDefinite` if keys depend linearly on one another and lambda is too small.
  public func left(slack: Manifest.TermSlack) throws(Cholesky.NotPositiveDefinite) -> Matrix<Double> {
    // A has its facts in columns, as the file has them.
    try Cholesky(gram.addingToDiagonal(slack)).solve(residuals).transposed()
  }
}

extension Matrix where Element == Double {
  /// Rows and columns at the same indices, in their order.
  package func principalSubmatrix(at indices: [Int]) -> Matrix<Double> {
    var result = Matrix<Double>(uninitializedRows: indices.count, columns: indices.count)
    for (row, source) in indices.enumerated() {
      for (column, other) in indices.enumerated() { result[row, column] = self[source, other] }
    }
    return result
  }
}
