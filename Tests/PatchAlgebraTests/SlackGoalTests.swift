import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

/// The lambda that a budget or a shortfall asks for.
@Suite struct SlackGoalTests {
  /// A system of six facts, two of whose keys are nearly one, and T of a ridge.
  private static func system(seed: UInt64) throws -> (GramSystem, text: Matrix<Double>) {
    var random = SeededGenerator(seed: seed)
    func matrix(_ rows: Int, _ columns: Int) -> Matrix<Double> {
      Matrix(
        rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in .random(in: -1...1, using: &random) })
    }
    var keys = matrix(6, 9)
    for column in 0..<9 { keys[5, column] = keys[4, column] + 1e-3 * keys[5, column] }
    let gram = keys.multiplied(by: keys, .transposed)
    var text = gram
    for row in 0..<6 { for column in 0..<6 { text[row, column] *= 0.9 } }
    return (GramSystem(gram: gram, residuals: matrix(6, 4)), text)
  }

  private static func left(_ system: GramSystem, _ lambda: Double) throws -> Matrix<Double> {
    try system.left(slack: .same(lambda))
  }

  /// From the eigendecomposition what the solved system gives.
  @Test(arguments: [1e-4, 0.1, 3, 200]) func spectrumIsTheSystem(lambda: Double) throws {
    let (system, text) = try Self.system(seed: 1)
    let spectrum = try SlackSpectrum(system, text: text)
    let left = try Self.left(system, lambda)
    let disturbance = congruenceTrace(left, text, using: .blas)
    #expect(abs(spectrum.disturbance(lambda: lambda) - disturbance) < 1e-9 * disturbance)
    let shortfall = lambda * lambda * left.frobeniusNorm * left.frobeniusNorm
    #expect(abs(spectrum.shortfall(lambda: lambda) - shortfall) < 1e-9 * shortfall)
  }

  /// The goal is met, and would not be with a lambda a little to the other side.
  @Test(arguments: [0.01, 0.2, 0.6]) func goalsAreMet(share: Double) throws {
    let (system, text) = try Self.system(seed: 2)
    let spectrum = try SlackSpectrum(system, text: text)
    let power = spectrum.disturbance(lambda: 1e-3)
    let budget = try #require(SlackGoal.budget(share).lambda([spectrum], outputPower: power))
    #expect(spectrum.disturbance(lambda: budget) <= share * power)
    #expect(spectrum.disturbance(lambda: budget * 0.98) > share * power)
    let short = try #require(SlackGoal.short(share).lambda([spectrum], outputPower: nil))
    let whole = system.residuals.frobeniusNorm
    func lack(_ lambda: Double) -> Double { spectrum.shortfall(lambda: lambda).squareRoot() / whole }
    #expect(lack(short) <= share && lack(short * 1.02) > share)
    // In three digits.
    for lambda in [budget, short] {
      #expect(Double(String(format: "%.2e", lambda)) == lambda)
    }
  }

  @Test func whatNeedsNoSlackGetsNone() throws {
    let (system, text) = try Self.system(seed: 3)
    let spectrum = try SlackSpectrum(system, text: text)
    #expect(SlackGoal.budget(0.9).lambda([spectrum], outputPower: 1e9) == 0)
    #expect(SlackGoal.budget(0.1).lambda([spectrum], outputPower: nil) == nil)
    // Of keys that depend on one another the smallest that can be solved.
    let gram = Matrix(rows: 2, columns: 2, elements: [1.0, 1, 1, 1])
    let singular = GramSystem(gram: gram, residuals: Matrix(rows: 2, columns: 1, elements: [1.0, 1]))
    let lambda = try #require(
      SlackGoal.budget(0.9).lambda([SlackSpectrum(singular, text: gram)], outputPower: 1e9))
    #expect(lambda > 0 && lambda < 1e-10)
    _ = try singular.left(slack: .same(lambda))
  }
}
