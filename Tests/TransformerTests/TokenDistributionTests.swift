import Foundation
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite struct TokenDistributionTests {
  private static func logProbabilities(_ logits: [Double]) -> [Double] {
    let largest = logits.max()!
    let sum = largest + log(logits.reduce(0) { $0 + exp($1 - largest) })
    return logits.map { $0 - sum }
  }

  private static func divergence(_ logits: [Double], from initial: [Double]) -> Double {
    zip(logProbabilities(logits), logProbabilities(initial)).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
  }

  /// The row of a two-row matrix whose other row must not matter.
  private func distribution(_ logits: [Double]) -> TokenDistribution {
    let other = [Float](repeating: 99, count: logits.count)
    return TokenDistribution(
      logits: Matrix(rows: 2, columns: logits.count, elements: other + logits.single), row: 1)
  }

  private func gradient(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Double] {
    filled(count, initial: 0.5, body).double.map { $0 - 0.5 }
  }

  /// Below, at and above the number of values that are summed in float32.
  @Test(arguments: [1, 5, 256, 257, 1000]) func matchesTheReference(vocabulary: Int) {
    var random = SeededGenerator(seed: 27)
    let logits = random.gaussians(vocabulary).map { Double(Float(3 * $0 - 4)) }
    let initial = random.gaussians(vocabulary).map { Double(Float(3 * $0 + 20)) }
    let distribution = distribution(logits)
    let expected = Self.logProbabilities(logits)
    #expect(distribution.vocabularySize == vocabulary)
    for token in [0, vocabulary / 2, vocabulary - 1] {
      #expect(abs(distribution.logProbability(token) - expected[token]) < 1e-6)
      let found = gradient(vocabulary) {
        distribution.addNegativeLogLikelihoodGradient(target: token, coefficient: 1.5, to: $0)
      }
      let numerical = numericalGradient(at: logits) { -1.5 * Self.logProbabilities($0)[token] }
      // The values are added to 0.5, which rounds them.
      #expect(zip(found, numerical).allSatisfy { abs($0 - $1) < 1e-6 })
    }
    let all = distribution.logProbabilities().double
    #expect(zip(all, expected).allSatisfy { abs($0 - $1) < 1e-5 })

    let start = self.distribution(initial).logProbabilities()
    let divergence = distribution.divergence(from: start)
    #expect(abs(divergence - Self.divergence(logits, from: initial)) < 1e-5 * max(1, divergence))
    let found = gradient(vocabulary) {
      distribution.addDivergenceGradient(from: start, divergence: divergence, coefficient: 2, to: $0)
    }
    let numerical = numericalGradient(at: logits) { 2 * Self.divergence($0, from: initial) }
    #expect(zip(found, numerical).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func gradientsToRelativePrecision() {
    var random = SeededGenerator(seed: 28)
    let logits = random.gaussians(300)
    let distribution = distribution(logits)
    let likelihood = filled(300, initial: 0) {
      distribution.addNegativeLogLikelihoodGradient(target: 7, coefficient: 1, to: $0)
    }
    #expect(relativeError(likelihood.double, numericalGradient(at: logits) { -Self.logProbabilities($0)[7] }) < 1e-4)
    let initial = random.gaussians(300)
    let start = self.distribution(initial).logProbabilities()
    let divergence = filled(300, initial: 0) {
      distribution.addDivergenceGradient(
        from: start, divergence: distribution.divergence(from: start), coefficient: 1, to: $0)
    }
    let numerical = numericalGradient(at: logits) { Self.divergence($0, from: initial) }
    #expect(relativeError(divergence.double, numerical) < 1e-4)
  }

  @Test func farApart() {
    let distribution = distribution([1000, 0, -1000, 999])
    #expect(abs(distribution.logProbability(2) + 2000.313) < 1e-2)
    #expect(distribution.divergence(from: distribution.logProbabilities()) == 0)
    let gradient = filled(4, initial: 0) {
      distribution.addNegativeLogLikelihoodGradient(target: 2, coefficient: 1, to: $0)
    }
    #expect(gradient.allSatisfy { $0.isFinite } && gradient[2] == -1 && gradient[1] < 1e-30)
  }

  @Test func mostLikelyTokens() {
    let distribution = distribution([1, 5, 3, 5, -2, 3])
    #expect(distribution.mostLikely(0) == [])
    #expect(distribution.mostLikely(1) == [1])
    #expect(distribution.mostLikely(3) == [1, 3, 2])
    #expect(distribution.mostLikely(6) == [1, 3, 2, 5, 0, 4])
    #expect(distribution.mostLikely(100) == [1, 3, 2, 5, 0, 4])
  }
}
