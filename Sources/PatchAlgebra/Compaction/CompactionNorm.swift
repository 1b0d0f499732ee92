import LinearAlgebra
import Tensors
import WeightPatch

/// By what measure a change of smaller rank is to be near the one that it stands for.
///
/// Each is a Frobenius norm, |D N| for some N. The nearest matrix to D of a rank r in any of them (Eckart and Young) is
/// P P^T D, where P holds the first r left singular vectors of D N: the change with its outputs projected.
public enum CompactionNorm: String, Sendable, CaseIterable {
  /// |D|, the Frobenius norm of the change itself.
  case weights
  /// |D C^1/2|, the root of tr(D C D^T): what the change does to ordinary text. With D = A B and G = B C B^T it is
  /// |A T^1/2| with T = B C B^T, which is G less what a ridge has in it, so C itself is not needed.
  case text
  /// |D K| with each column divided by its norm: what the change does at the keys of its facts, each fact counting the
  /// same. With B K = G it is |A G|, its columns so divided.
  case facts
}

/// One tensor's change D = A B in the norms that its patch can tell, ready to be cut to any rank.
///
/// With A = Q R, every norm of a change U Q^T D for some U depends on R and on what stands for N in that norm alone,
/// both E x E or smaller.
struct CompactionSystem {
  private let factors: (left: Matrix<Double>, right: Matrix<Double>)
  private let orthogonal: OrthogonalFactor
  /// What A is multiplied by on its right in each norm.
  private let metrics: [CompactionNorm: Matrix<Double>]
  /// |D| in each norm.
  private let totals: [CompactionNorm: Double]

  /// T = B C B^T, E x E; nil if the patch does not tell it.
  let text: Matrix<Double>?

  /// - Parameters:
  ///   - terms: only those of facts have a G that says something about text and facts.
  ///   - metric: the one that G was measured in; nil: that of the second moments.
  ///   - ridge: rho; nil if it is not known, and so neither is what the change does to text.
  /// - Throws: `NotConverged` if values are too large to be decomposed.
  /// - Complexity: O(E^2 (d_out + d_in)).
  init(
    _ factors: LowRankFactors, terms: Manifest.Terms, metric: Manifest.Metric?, ridge: Double?
  ) throws(SingularValueDecomposition.NotConverged) {
    // A patch that was read has finite values.
    let (left, right) = (factors.leftValues()!.widened(), factors.rightValues()!.widened())
    orthogonal = OrthogonalFactor(left)
    self.factors = (left, right)
    // B^T = Q' R', so that |X B| = |X R'^T|.
    var metrics = [CompactionNorm.weights: OrthogonalFactor(right.transposed()).triangular.transposed()]
    if terms == .facts, let gram = factors.gram {
      text = ridge.flatMap { factors.textGram(ridge: $0, metric: metric, using: .blas) }
      // Cholesky would not take keys that depend on one another.
      if let text { metrics[.text] = try PositivePart(of: text).root }
      let atKeys = left.multiplied(by: gram).columnNorms()
      metrics[.facts] = gram.scalingColumns(by: atKeys.map { $0 > 0 ? 1 / $0 : 0 })
    } else {
      text = nil
    }
    self.metrics = metrics
    let triangular = orthogonal.triangular
    totals = metrics.mapValues { triangular.multiplied(by: $0).frobeniusNorm }
  }

  /// The singular value decomposition of D in a norm.
  ///
  /// - Returns: nil if the patch does not tell that norm.
  func decomposition(
    in norm: CompactionNorm
  ) throws(SingularValueDecomposition.NotConverged) -> SingularValueDecomposition? {
    guard let metric = metrics[norm] else { return nil }
    return try SingularValueDecomposition(orthogonal.triangular.multiplied(by: metric))
  }

  /// The factors of P P^T D for the first `rank` left singular vectors P, and what the rest would have added.
  ///
  /// - Returns: P (d_out x rank), with orthonormal columns, and P^T D (rank x d_in); zeros where there are fewer
  ///   vectors.
  func cut(to rank: Int, _ decomposition: SingularValueDecomposition) -> Cut {
    let vectors = decomposition.left.firstColumns(min(rank, decomposition.left.columns))
    let kept = vectors.multiplied(.transposed, by: orthogonal.triangular)
    let projection = orthogonal.orthonormal.multiplied(by: vectors)
    let rest = orthogonal.triangular.subtracting(vectors.multiplied(by: kept))
    let errors = metrics.map { norm, metric in
      (norm, totals[norm]! > 0 ? rest.multiplied(by: metric).frobeniusNorm / totals[norm]! : 0)
    }
    return Cut(
      left: projection.padded(rows: projection.rows, columns: rank),
      right: kept.multiplied(by: factors.right).padded(rows: rank, columns: factors.right.columns),
      errors: Dictionary(uniqueKeysWithValues: errors),
      // The columns are those of D k_e, each divided by its norm.
      worstFact: metrics[.facts].map { rest.multiplied(by: $0).columnNorms().max() ?? 0 })
  }

  /// D' = P P^T D in factors.
  struct Cut {
    let left: Matrix<Double>
    let right: Matrix<Double>
    /// |D' - D| / |D| in every norm that is known.
    let errors: [CompactionNorm: Double]
    /// The largest over the facts of |D' k_e - D k_e| / |D k_e|.
    let worstFact: Double?
  }
}

extension SingularValueDecomposition {
  /// The smallest rank, one at least, that leaves out no more than a share of the Frobenius norm.
  func rank(tolerance: Double) -> Int {
    let allowed = tolerance * values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    var rest = 0.0
    // From the smallest on, so that nothing small is added to something large.
    for index in values.indices.reversed() {
      rest += values[index] * values[index]
      if rest.squareRoot() > allowed { return index + 1 }
    }
    return 1
  }
}

extension Matrix where Element == Double {
  package func scalingColumns(by scales: [Double]) -> Matrix<Double> {
    precondition(scales.count == columns)
    var result = self
    for row in 0..<rows {
      for column in 0..<columns { result[row, column] *= scales[column] }
    }
    return result
  }
}

extension Matrix where Element: AdditiveArithmetic {
  /// This matrix in the upper left corner of one of zeros.
  package func padded(rows: Int, columns: Int) -> Matrix {
    guard rows != self.rows || columns != self.columns else { return self }
    var result = Matrix(rows: rows, columns: columns)
    for row in 0..<self.rows {
      for column in 0..<self.columns { result[row, column] = self[row, column] }
    }
    return result
  }
}

/// The nearest change to A B of a smaller rank: by what it does at the keys of the facts (`CompactionNorm.facts`), or
/// by its Frobenius norm.
///
/// - Parameters:
///   - rank: less than E.
///   - left: A, d_out x E.
///   - right: B, E x d_in.
///   - gram: G = B K, E x E; nil where terms are no facts.
/// - Returns: its factors, d_out x rank and rank x d_in.
/// - Throws: an `ErrataError` if the values are too large to be decomposed.
package func nearestChange(
  of rank: Int, left: Matrix<Float>, right: Matrix<Float>, gram: Matrix<Double>?
) throws -> (left: Matrix<Double>, right: Matrix<Double>) {
  let factors = LowRankFactors(
    name: "", isTransposed: false, left: StoredFactor(left, dtype: .f32, facts: .columns),
    right: StoredFactor(right, dtype: .f32, facts: .rows), gram: gram)
  do {
    let system = try CompactionSystem(factors, terms: .facts, metric: nil, ridge: nil)
    let decomposition = try system.decomposition(in: gram == nil ? .weights : .facts)!
    let cut = system.cut(to: rank, decomposition)
    return (cut.left, cut.right)
  } catch {
    throw ErrataError.factorsNotFinite
  }
}
