import Tensors

/// The figures of an edit's objective that can be read off its factors, without model or text (ARCHITECTURE: the one
/// formula).
extension LowRankFactors {
  /// The Frobenius norm of D = A B.
  ///
  /// - Complexity: O(E min(E (d_out + d_in), d_out d_in)), and no more memory than the factors take, in binary64.
  public func deltaNorm(_ product: MatrixProduct = plainProduct) -> Double? {
    guard let left = leftValues()?.widened(), let right = rightValues()?.widened() else { return nil }
    if Self.isWide(terms: rank, left.rows, right.columns) {
      let change = product(left, right)
      return change.elementwiseDot(change).squareRoot()
    }
    // norm(A B)^2 = tr((A^T A) (B B^T)).
    let square = product(left.transposed(), left).elementwiseDot(product(right, right.transposed()))
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
  /// - Parameter ridge: rho, or 0 where it is not known; then T is that of text and ridge together.
  /// - Returns: nil if the batch does not carry G, or if the ridge is more than G has room for: it is not that of B.
  /// - Complexity: O(E^2 d_in) with a ridge.
  package func textGram(ridge: Double, _ product: MatrixProduct = plainProduct) -> Matrix<Double>? {
    guard let gram, ridge > 0 else { return gram }
    guard let right = rightValues()?.widened() else { return nil }
    var text = gram
    let squares = product(right, right.transposed())
    for row in 0..<text.rows {
      for column in 0..<text.columns { text[row, column] -= ridge * squares[row, column] }
      // T has no negative diagonal, but for the rounding of B.
      guard text[row, row] >= -0.02 * abs(gram[row, row]) else { return nil }
    }
    return text
  }

  /// Preservation: E norm(D k)^2 = tr(D C D^T) = tr(A G A^T) - rho norm(D)^2, the mean squared disturbance of ordinary text.
  ///
  /// - Parameter ridge: rho, what was added to C's diagonal; where it is not known, 0 gives an upper bound.
  /// - Returns: nil if the batch does not carry G.
  /// - Complexity: O(E^2 d_out), and O(E^2 d_in) more with a ridge.
  public func preservation(ridge: Double = 0, _ product: MatrixProduct = plainProduct) -> Double? {
    guard let text = textGram(ridge: ridge, product), let left = leftValues()?.widened() else { return nil }
    let value = product(left, text).elementwiseDot(left)
    // What little text a large ridge leaves can vanish in the rounding of B; what is left of it is no less than nothing.
    return ridge > 0 ? max(value, 0) : value
  }

  /// Memorization, for each fact: what it is short of its residual, norm(D k_e - r_e) / norm(r_e), where
  /// D k_e - r_e = -lambda A_e and R = A (G + lambda I). Zero is a perfect edit.
  ///
  /// The figure is the solver's, before the factors were rounded to be stored.
  ///
  /// - Parameter lambda: the slack that the batch was solved with.
  /// - Returns: nil if the batch does not carry G; in it nil for a fact whose residual is zero as far as the factors tell:
  ///   there is nothing to be short of, or they do not tell.
  /// - Complexity: O(E^2 d_out).
  public func memorization(lambda: Double, _ product: MatrixProduct = plainProduct) -> [Double?]? {
    guard let residuals = residuals(lambda: lambda, product), let left = leftValues()?.widened() else { return nil }
    return zip(left.columnNorms(), residuals.columnNorms()).map { $1 > 0 ? lambda * $0 / $1 : nil }
  }

  /// The largest of them.
  public func worstMemorization(lambda: Double, _ product: MatrixProduct = plainProduct) -> Double? {
    memorization(lambda: lambda, product)?.compactMap(\.self).max()
  }

  /// R = A (G + lambda I), d_out x E.
  ///
  /// - Returns: nil if the batch does not carry G.
  public func residuals(lambda: Double, _ product: MatrixProduct = plainProduct) -> Matrix<Double>? {
    guard var system = gram, let left = leftValues()?.widened() else { return nil }
    for fact in 0..<system.rows { system[fact, fact] += lambda }
    return product(left, system)
  }
}
