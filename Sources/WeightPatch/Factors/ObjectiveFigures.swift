import Tensors

/// The figures of an edit's objective that can be read off its factors, without model or text (DESIGN: the mathematics).
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
  static func multiplicationCount(terms: Int, outputs: Int, inputs: Int, hasGram: Bool) -> Double {
    let (rank, sum) = (Double(terms), Double(outputs) + Double(inputs))
    let norm = isWide(terms: terms, outputs, inputs) ? Double(outputs) * Double(inputs) : rank * sum
    // Preservation and memorization take a product of A and G each.
    return rank * (norm + (hasGram ? 2 * rank * Double(outputs) : 0))
  }

  /// Preservation: E norm(D k)^2 = tr(D C D^T) = tr(A G A^T), the mean squared disturbance of ordinary text.
  ///
  /// - Returns: nil if the batch does not carry G.
  /// - Complexity: O(E^2 d_out).
  public func preservation(_ product: MatrixProduct = plainProduct) -> Double? {
    guard let gram, let left = leftValues()?.widened() else { return nil }
    return product(left, gram).elementwiseDot(left)
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
