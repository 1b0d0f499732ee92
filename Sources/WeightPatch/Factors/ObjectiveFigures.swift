import Tensors

/// The figures of an edit's objective that can be read off its factors, without model or text (ARCHITECTURE: the one
/// formula).
extension LowRankFactors {
  /// The Frobenius norm of D = A B.
  ///
  /// - Complexity: O(E min(E (d_out + d_in), d_out d_in)), and no more memory than the factors take, in binary64.
  public func deltaNorm(using product: MatrixProduct = .plain) -> Double? {
    guard let left = leftValues()?.widened(), let right = rightValues()?.widened() else { return nil }
    if Self.isWide(terms: rank, left.rows, right.columns) {
      let change = product(left, by: right)
      return change.elementwiseDot(change).squareRoot()
    }
    // norm(A B)^2 = tr((A^T A) (B B^T)).
    let square = product(left, .transposed, by: left).elementwiseDot(product(right, by: right, .transposed))
    return max(square, 0).squareRoot()
  }

  /// Whether A and B have more elements than their product.
  private static func isWide(terms: Int, _ outputs: Int, _ inputs: Int) -> Bool {
    Double(terms) * (Double(outputs) + Double(inputs)) > Double(outputs) * Double(inputs)
  }

  /// How many multiplications the figures of factors take, about.
  static func multiplicationCount(
    terms: Int, outputs: Int, inputs: Int, hasGram: Bool, hasRidge: Bool = false
  ) -> Double {
    let (rank, sum) = (Double(terms), Double(outputs) + Double(inputs))
    let norm = isWide(terms: terms, outputs, inputs) ? Double(outputs) * Double(inputs) : rank * sum
    // Preservation and memorization take a product of A and G each, and preservation with a ridge one of B and B^T.
    let figures = 2 * rank * Double(outputs) + (hasRidge ? rank * Double(inputs) : 0)
    return rank * (norm + (hasGram ? figures : 0))
  }

  /// T = B C B^T, E x E, symmetric: what the directions have to do with one another on ordinary text. B was made with
  /// C + rho I, so that G = B (C + rho I) B^T, and T = G - rho B B^T.
  ///
  /// Where keys H are held, C + H diag(1/mu) H^T stands for C, and what these have in G goes likewise. Under a metric
  /// that is not C^-1, only a patch that carries T knows it.
  ///
  /// - Parameters:
  ///   - ridge: rho, or 0 where it is not known; then T is that of text and ridge together.
  ///   - metric: that of the batch.
  /// - Returns: nil if the batch does not tell, or if the ridge is more than G has room for: it is not that of B.
  /// - Complexity: O(E^2 d_in) with a ridge.
  package func textGram(
    ridge: Double, metric: Manifest.Metric? = nil, using product: MatrixProduct = .plain
  ) -> Matrix<Double>? {
    if let text { return text }
    guard let gram, (metric?.kind ?? .secondMoments) == .secondMoments else { return nil }
    let mus = metric?.heldSlacks ?? []
    guard ridge > 0 || !mus.isEmpty else { return gram }
    guard let right = rightValues()?.widened() else { return nil }
    return WeightPatch.textGram(gram, right, ridge: ridge, heldProduct, mus: mus, using: product)
  }

  /// Preservation: E norm(D k)^2 = tr(D C D^T) = tr(A G A^T) - rho norm(D)^2, the mean squared disturbance of ordinary
  /// text.
  ///
  /// - Parameters:
  ///   - ridge: rho, what was added to C's diagonal; where it is not known, 0 gives an upper bound.
  ///   - metric: that of the batch.
  /// - Returns: nil if the batch does not tell.
  /// - Complexity: O(E^2 d_out), and O(E^2 d_in) more with a ridge.
  public func preservation(
    ridge: Double = 0, metric: Manifest.Metric? = nil, using product: MatrixProduct = .plain
  ) -> Double? {
    guard let text = textGram(ridge: ridge, metric: metric, using: product), let left = leftValues()?.widened() else {
      return nil
    }
    let value = congruenceTrace(left, text, using: product)
    // What little text a large ridge leaves can vanish in the rounding of B; what is left of it is no less than
    // nothing.
    return ridge > 0 ? max(value, 0) : value
  }

  /// Memorization, for each fact: what it is short of its residual, norm(D k_e - r_e) / norm(r_e), where
  /// D k_e - r_e = -lambda A_e and R = A (G + lambda I). Zero is a perfect edit.
  ///
  /// The figure is the solver's, before the factors were rounded to be stored.
  ///
  /// - Parameter slack: what the tensor's system was solved with (`Manifest.Batch.slack(of:)`).
  /// - Returns: nil if the batch does not carry G; in it nil for a fact whose residual is zero as far as the factors
  ///   tell: there is nothing to be short of, or they do not tell.
  /// - Complexity: O(E^2 d_out).
  public func memorization(slack: Manifest.TermSlack, using product: MatrixProduct = .plain) -> [Double?]? {
    guard let residuals = residuals(slack: slack, using: product), let left = leftValues()?.widened() else {
      return nil
    }
    let norms = zip(left.columnNorms(), residuals.rowNorms())
    return zip(slack.values(count: rank), norms).map { lambda, norms in norms.1 > 0 ? lambda * norms.0 / norms.1 : nil }
  }

  /// The largest of them.
  public func worstMemorization(slack: Manifest.TermSlack, using product: MatrixProduct = .plain) -> Double? {
    memorization(slack: slack, using: product)?.compactMap(\.self).max()
  }

  /// R^T = (G + lambda I) A^T, E x d_out: a row for each fact.
  ///
  /// - Returns: nil if the batch does not carry G.
  public func residuals(slack: Manifest.TermSlack, using product: MatrixProduct = .plain) -> Matrix<Double>? {
    guard let gram, let left = leftValues()?.widened() else { return nil }
    return solvedResiduals(left, gram, slack, using: product)
  }
}

/// T = G - rho B B^T - (B H) diag(1/mu) (B H)^T (Spec: the metric), E x E: what ordinary text has in G.
///
/// - Parameters:
///   - gram: G, E x E.
///   - right: B, E x d_in.
///   - ridge: rho.
///   - heldProduct: B H, E x h.
///   - mus: of each held key.
/// - Returns: nil if there are held keys and no B H, or if the ridge is more than G has room for.
package func textGram(
  _ gram: Matrix<Double>, _ right: Matrix<Double>, ridge: Double, _ heldProduct: Matrix<Double>?, mus: [Double],
  using product: MatrixProduct
) -> Matrix<Double>? {
  var text = gram
  if ridge > 0 {
    let squares = product(right, by: right, .transposed)
    for row in 0..<text.rows {
      for column in 0..<text.columns { text[row, column] -= ridge * squares[row, column] }
    }
  }
  if !mus.isEmpty {
    guard let heldProduct else { return nil }
    var scaled = heldProduct
    // Where mu is 0, D is exactly zero at the key, and so is B H.
    for row in 0..<scaled.rows {
      for column in mus.indices { scaled[row, column] = mus[column] > 0 ? scaled[row, column] / mus[column] : 0 }
    }
    text = text.subtracting(product(scaled, by: heldProduct, .transposed))
  }
  for row in 0..<text.rows {
    // T has no negative diagonal, but for the rounding of B.
    guard text[row, row] >= -0.02 * abs(gram[row, row]) else { return nil }
  }
  return text
}

/// R^T = (G + lambda I) A^T, E x d_out, what A (d_out x E) was solved for with G and its slack.
package func solvedResiduals(
  _ left: Matrix<Double>, _ gram: Matrix<Double>, _ slack: Manifest.TermSlack, using product: MatrixProduct
) -> Matrix<Double> {
  product(gram.addingToDiagonal(slack), by: left, .transposed)
}

/// tr(A T A^T), for A d_out x E and T = B C B^T, E x E: what A B does to ordinary text.
package func congruenceTrace(_ left: Matrix<Double>, _ text: Matrix<Double>, using product: MatrixProduct) -> Double {
  product(left, by: text).elementwiseDot(left)
}

extension Matrix where Element == Double {
  /// M + lambda I, or M + diag(lambda).
  package func addingToDiagonal(_ slack: Manifest.TermSlack) -> Matrix<Double> {
    var result = self
    for (index, lambda) in slack.values(count: rows).enumerated() { result[index, index] += lambda }
    return result
  }
}
