import Foundation
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

@Suite struct ObjectiveFiguresTests {
  /// With C = I the figures can be written down: B = K^T, G = K^T K, and tr(D C D^T) = norm(D)^2.
  @Test func agreeWithTheirDefinitions() throws {
    var generator = SeededGenerator(seed: 5)
    let keys = generator.matrix(7, 3)
    let left = generator.matrix(4, 3).narrowed().widened()
    let gram = plainProduct(keys.transposed(), keys)
    let lambda = 0.25
    let right = keys.transposed().narrowed()
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: StoredFactor(left.narrowed(), dtype: .f32, facts: .columns),
      right: StoredFactor(right, dtype: .f32, facts: .rows), gram: gram)
    let delta = plainProduct(left, right.widened())
    let norm = delta.elementwiseDot(delta).squareRoot()
    #expect(abs(try #require(factors.deltaNorm()) - norm) < 1e-12 * norm)
    let preservation: Double = try #require(factors.preservation())
    #expect(abs(preservation - norm * norm) < 1e-6 * norm * norm)

    let residuals = try #require(factors.residuals(slack: .same(lambda)))
    let shortfalls = plainProduct(delta, keys).transposed().subtracting(residuals).rowNorms()
    let memorization = try #require(factors.memorization(slack: .same(lambda))).compactMap(\.self)
    for fact in 0..<3 {
      #expect(abs(memorization[fact] - shortfalls[fact] / residuals.rowNorms()[fact]) < 1e-6)
    }
    #expect(try #require(factors.memorization(slack: .same(0))) == [0, 0, 0])
    #expect(factors.worstMemorization(slack: .same(lambda)) == memorization.max())
  }

  /// With C = I and a ridge rho: B = K^T / (1 + rho), G = B (1 + rho) B^T, and ordinary text is disturbed by norm(D)^2
  /// still.
  @Test(arguments: [0.1, 1, 30]) func theRidgeIsNoText(ridge: Double) throws {
    var generator = SeededGenerator(seed: 6)
    let right = generator.matrix(3, 7).narrowed()
    let left = generator.matrix(4, 3).narrowed()
    var gram = plainProduct(right.widened(), right.widened().transposed())
    for row in 0..<3 { for column in 0..<3 { gram[row, column] *= 1 + ridge } }
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: StoredFactor(left, dtype: .f32, facts: .columns),
      right: StoredFactor(right, dtype: .f32, facts: .rows), gram: gram)
    let norm = try #require(factors.deltaNorm())
    #expect(abs(try #require(factors.preservation(ridge: ridge)) - norm * norm) < 1e-10 * norm * norm)
    // Where rho is not known, an upper bound.
    #expect(abs(try #require(factors.preservation()) - (1 + ridge) * norm * norm) < 1e-10 * norm * norm)
    // More than there is in G cannot be.
    #expect(factors.preservation(ridge: 1.1 * (1 + ridge)) == nil)
    let plain = LowRankFactors.multiplicationCount(terms: 3, outputs: 4, inputs: 7, hasGram: true)
    let costs = LowRankFactors.multiplicationCount(terms: 3, outputs: 4, inputs: 7, hasGram: true, hasRidge: true)
    #expect(costs == plain + 63)
  }

  /// Factors that are zero do not say of which residual they fall short.
  @Test func areUnknownOfAFactWithoutTerms() throws {
    let left = Matrix<Float>(rows: 2, columns: 2, elements: [0, 1, 0, 2])
    let right = Matrix<Float>(rows: 2, columns: 1, elements: [1, 1])
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: StoredFactor(left, dtype: .f32, facts: .columns),
      right: StoredFactor(right, dtype: .f32, facts: .rows), gram: Matrix(rows: 2, columns: 2, elements: [1, 0, 0, 1]))
    #expect(factors.memorization(slack: .same(1)) == [nil, 0.5] && factors.worstMemorization(slack: .same(1)) == 0.5)
  }

  /// Whichever way takes less.
  @Test(arguments: [1, 2, 3, 7, 40]) func theNormOfAnyNumberOfTerms(terms: Int) throws {
    var generator = SeededGenerator(seed: UInt64(terms))
    let (left, right) = (generator.matrix(4, terms).narrowed(), generator.matrix(terms, 6).narrowed())
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: StoredFactor(left, dtype: .f32, facts: .columns),
      right: StoredFactor(right, dtype: .f32, facts: .rows))
    let delta = plainProduct(left.widened(), right.widened())
    let norm = delta.elementwiseDot(delta).squareRoot()
    #expect(abs(try #require(factors.deltaNorm()) - norm) < 1e-12 * norm)
    let count = LowRankFactors.multiplicationCount(terms: terms, outputs: 4, inputs: 6, hasGram: true)
    #expect(count == Double(terms * min(terms * 10, 24) + 2 * terms * terms * 4))
  }

  @Test func areUnknownWithoutTheGramMatrix() {
    let one = StoredFactor(Matrix(rows: 1, columns: 1, elements: [1]), dtype: .f32, facts: .rows)
    let factors = LowRankFactors(name: "w", isTransposed: false, left: one, right: one)
    #expect(factors.preservation() == nil && factors.memorization(slack: .same(1)) == nil)
    #expect(factors.deltaNorm() == 1)
  }
}
