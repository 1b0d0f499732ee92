import CKernels
import Tensors

/// The distribution over the next token that one row of logits stands for. Sums are taken in binary64.
public struct TokenDistribution {
  private let logits: Matrix<Float>
  private let row: Int
  /// log sum_j exp(logit_j)
  private let logSum: Double

  public init(logits: Matrix<Float>, row: Int) {
    precondition(row >= 0 && row < logits.rows)
    self.logits = logits
    self.row = row
    var logSum = 0.0
    logits.withUnsafePointer { errata_log_sum_exp($0 + row * logits.columns, logits.columns, &logSum) }
    self.logSum = logSum
  }

  public var vocabularySize: Int { logits.columns }

  /// - Precondition: the token is in the vocabulary.
  public func logProbability(_ token: Int) -> Double {
    precondition(token >= 0 && token < vocabularySize, "the token is outside of the vocabulary")
    return Double(logits[row, token]) - logSum
  }

  /// Every token's log-probability, in float32.
  public func logProbabilities() -> [Float] {
    [Float](unsafeUninitializedCapacity: vocabularySize) { buffer, count in
      withRow { errata_log_probabilities($0, Float(logSum), buffer.baseAddress, vocabularySize) }
      count = vocabularySize
    }
  }

  /// The tokens with the largest logits, largest first; of equal ones the smaller token.
  public func mostLikely(_ count: Int) -> [Int] {
    guard count > 0 else { return [] }
    return withRow { values in
      var best: [Int] = []
      for token in 0..<vocabularySize {
        if best.count == count, values[token] <= values[best[count - 1]] { continue }
        let place = best.firstIndex { values[$0] < values[token] } ?? best.count
        best.insert(token, at: place)
        if best.count > count { best.removeLast() }
      }
      return best
    }
  }

  /// Adds the gradient of `coefficient * -log p(target)` with respect to the logits to `dLogits`, one vocabulary long.
  public func addNegativeLogLikelihoodGradient(
    target: Int, coefficient: Float, to dLogits: UnsafeMutablePointer<Float>
  ) {
    precondition(target >= 0 && target < vocabularySize, "the token is outside of the vocabulary")
    withRow {
      errata_negative_log_likelihood_backward($0, Float(logSum), coefficient, target, dLogits, vocabularySize)
    }
  }

  /// KL(this || initial) = sum p (log p - log p_initial), for `initial` as `logProbabilities` gives it.
  public func divergence(from initial: [Float]) -> Double {
    precondition(initial.count == vocabularySize)
    var result = 0.0
    withRow { errata_divergence($0, Float(logSum), initial, vocabularySize, &result) }
    return result
  }

  /// Adds the gradient of `coefficient * KL(this || initial)` with respect to the logits to `dLogits`.
  ///
  /// - Parameter divergence: what `divergence(from:)` gave.
  public func addDivergenceGradient(
    from initial: [Float], divergence: Double, coefficient: Float, to dLogits: UnsafeMutablePointer<Float>
  ) {
    precondition(initial.count == vocabularySize)
    withRow {
      errata_divergence_backward(
        $0, Float(logSum), initial, Float(divergence), coefficient, dLogits, vocabularySize)
    }
  }

  private func withRow<Result>(_ body: (UnsafePointer<Float>) -> Result) -> Result {
    logits.withUnsafePointer { body($0 + row * logits.columns) }
  }
}
