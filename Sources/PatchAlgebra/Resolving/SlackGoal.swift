import Foundation
import LinearAlgebra
import Tensors
import WeightPatch

/// A slack in the user's terms: lambda is what comes of it.
public enum SlackGoal: Sendable, Equatable, CustomStringConvertible {
  /// At most this share of what ordinary text makes of the weight, E |W k|^2, is disturbed: tr(A T A^T) / tr(W C W^T).
  case budget(Double)
  /// The facts together lack this share of what they ask for: |D K - R| / |R|, Frobenius.
  case short(Double)

  public var description: String {
    switch self {
    case .budget(let share): "budget \(share)"
    case .short(let share): "short \(share)"
    }
  }
}

/// What a system costs and brings at any slack, from one eigendecomposition of G = V diag(g) V^T:
///
///     A = R V diag(1 / (g + lambda)) V^T
package struct SlackSpectrum {
  /// g, descending.
  private let eigenvalues: [Double]
  /// |R v_i|^2.
  private let residualPowers: [Double]
  /// (V^T T V)_ij (R v_i) . (R v_j): what two directions disturb together where each has a weight of 1.
  private let disturbances: Matrix<Double>

  /// - Parameter text: T, E x E.
  /// - Throws: `SingularValueDecomposition.NotConverged`.
  package init(_ system: GramSystem, text: Matrix<Double>) throws(SingularValueDecomposition.NotConverged) {
    // G is symmetric and positive semidefinite: its singular vectors are its eigenvectors.
    let found = try SingularValueDecomposition(system.gram)
    eigenvalues = found.values
    let rows = found.left.transposed()
    let turned = rows.multiplied(by: system.residuals)
    let products = turned.multiplied(by: turned, .transposed)
    var disturbances = rows.multiplied(by: text).multiplied(by: found.left)
    for row in 0..<disturbances.rows {
      for column in 0..<disturbances.columns { disturbances[row, column] *= products[row, column] }
    }
    residualPowers = (0..<products.rows).map { products[$0, $0] }
    self.disturbances = disturbances
  }

  fileprivate var largestEigenvalue: Double { eigenvalues.first ?? 0 }
  fileprivate var isSingular: Bool { (eigenvalues.last ?? 0) <= 1e-13 * largestEigenvalue }
  fileprivate var residualPower: Double { residualPowers.reduce(0, +) }

  /// tr(A T A^T).
  package func disturbance(lambda: Double) -> Double {
    let weights = eigenvalues.map { 1 / ($0 + lambda) }
    var sum = 0.0
    for row in 0..<disturbances.rows {
      for column in 0..<disturbances.columns { sum += disturbances[row, column] * weights[row] * weights[column] }
    }
    return sum
  }

  /// |D K - R|^2 = |lambda A|^2.
  package func shortfall(lambda: Double) -> Double {
    zip(eigenvalues, residualPowers).reduce(0) { sum, pair in
      let share = lambda / (pair.0 + lambda)
      return sum + share * share * pair.1
    }
  }
}

extension SlackGoal {
  /// The lambda that meets the goal, in three digits: of all that do, the smallest for a budget, and the largest for
  /// what facts may lack.
  ///
  /// - Parameters:
  ///   - spectra: of the tensors that share the lambda.
  ///   - outputPower: the sum of tr(W C W^T) over them; nil where it is not known, which a budget takes.
  /// - Returns: nil for a budget without `outputPower`.
  package func lambda(_ spectra: [SlackSpectrum], outputPower: Double?) -> Double? {
    let meets: (Double) -> Bool
    switch self {
    case .budget(let share):
      guard let outputPower else { return nil }
      meets = { lambda in spectra.reduce(0) { $0 + $1.disturbance(lambda: lambda) } <= share * outputPower }
    case .short(let share):
      let allowed = share * share * spectra.reduce(0) { $0 + $1.residualPower }
      meets = { lambda in spectra.reduce(0) { $0 + $1.shortfall(lambda: lambda) } > allowed }
    }
    let scale = spectra.map(\.largestEigenvalue).max() ?? 0
    guard scale > 0 else { return 0 }
    var (low, high) = (1e-12 * scale, scale)
    // What a budget allows without any slack, or what lacks more than it may at once.
    if meets(low) { return spectra.contains(where: \.isSingular) ? Self.rounded(low, up: true) : 0 }
    while !meets(high), high < 1e30 * scale { high *= 10 }
    while high > low * 1.0001 {
      let middle = (low * high).squareRoot()
      if meets(middle) { high = middle } else { low = middle }
    }
    if case .budget = self { return Self.rounded(high, up: true) }
    return Self.rounded(low, up: false)
  }

  private static func rounded(_ value: Double, up: Bool) -> Double {
    let unit = 3 - 1 - Int(value.exponentOfTen)
    let digits = (value * power(unit)).rounded(up ? .up : .down)
    // A literal is the nearest number to a power of ten; a product of tens need not be.
    return Double("\(Int(digits))e\(-unit)") ?? value
  }

  private static func power(_ exponent: Int) -> Double { Double("1e\(exponent)") ?? 1 }
}

extension Double {
  /// The exponent of the number in scientific notation.
  fileprivate var exponentOfTen: Double { log10(self).rounded(.down) }
}

extension PatchFile {
  /// The patch with its batches solved again at the slack that meets a goal, one for each batch.
  ///
  /// - Parameter batch: which batch; nil for all.
  /// - Returns: the patch, and the lambda of each batch that was solved again.
  /// - Throws: an `ErrataError` if there is no such batch, if it cannot be solved again, or if it does not say what a
  ///   budget is a share of.
  public func resolved(_ goal: SlackGoal, batch: Int? = nil) throws -> (patch: DerivedPatch, lambdas: [Double]) {
    let chosen = try batchIndices(batch)
    var lambdas: [Double] = []
    let batches = try patch.batches.indices.map { index in
      guard chosen.contains(index) else { return (patch.batches[index], patch.manifest.batches[index]) }
      let lambda = try lambda(goal, batch: index)
      lambdas.append(lambda)
      return try solvedAgain(batch: index, slack: .lambda(lambda))
    }
    let place = batch.map { "batch \($0) " } ?? ""
    let numbers = lambdas.map { "\($0)" }.joined(separator: ", ")
    return (
      DerivedPatch(from: self, batches: batches, change: "\(place)solved again: \(goal), lambda \(numbers)"), lambdas
    )
  }

  private func lambda(_ goal: SlackGoal, batch index: Int) throws -> Double {
    let description = patch.manifest.batches[index]
    var power: Double? = 0
    let spectra = try zip(patch.batches[index].tensors, systems(ofBatch: index)).map { factors, system in
      let text = try text(of: factors, batch: index)
      power = power.flatMap { sum in description.tensors[factors.name]?.outputPower.map { sum + $0 } }
      do {
        return try SlackSpectrum(system, text: text)
      } catch {
        throw ErrataError.residualsNotFinite(path, index, factors.name, lambda: description.method.lambda)
      }
    }
    guard let lambda = goal.lambda(spectra, outputPower: power.flatMap { $0 > 0 ? $0 : nil }) else {
      throw ErrataError.noOutputPower(path, index)
    }
    return lambda
  }

  /// T of a batch's tensor.
  ///
  /// - Throws: an `ErrataError` if the patch does not tell.
  func text(of factors: LowRankFactors, batch index: Int) throws -> Matrix<Double> {
    let description = patch.manifest.batches[index]
    let ridge = description.ridge(of: factors.name) ?? 0
    if let text = factors.textGram(ridge: ridge, metric: description.metric, using: .blas) { return text }
    throw description.tellsOfText(factors)
      ? ErrataError.ridgeDoesNotFit(path, index, factors.name)
      : ErrataError.metricWithoutText(path, index, factors.name)
  }
}
