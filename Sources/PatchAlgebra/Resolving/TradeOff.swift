import Foundation
import LinearAlgebra
import Tensors
import WeightPatch

/// What an edit would cost and bring at other slacks, from its factors alone.
public struct TradeOff: Sendable {
  /// The edit at one lambda.
  public struct Point: Sendable {
    public let lambda: Double
    /// tr(A T A^T), the mean squared disturbance of ordinary text (`LowRankFactors.textGram`).
    public let preservation: Double
    /// Per fact: lambda norm(A_e) / norm(r_e), what it falls short of its residual.
    public let shortfalls: [Double]

    public var meanShortfall: Double { shortfalls.reduce(0, +) / Double(shortfalls.count) }
    public var worstShortfall: Double { shortfalls.max() ?? 0 }

    /// Several tensors taken together: disturbances add up, and every fact counts in every tensor.
    init(lambda: Double, preservation: Double, shortfalls: [Double]) {
      self.lambda = lambda
      self.preservation = preservation
      self.shortfalls = shortfalls
    }

    /// - Parameter text: T, E x E.
    /// - Returns: nil if there is no solution at this lambda, or none in numbers of this size.
    init?(lambda: Double, of system: GramSystem, text: Matrix<Double>) {
      guard let left = try? system.left(slack: .same(lambda)) else { return nil }
      let preservation = congruenceTrace(left, text, using: .blas)
      let shortfalls = zip(left.columnNorms(), system.residuals.rowNorms()).map { $1 > 0 ? lambda * $0 / $1 : 0 }
      guard preservation.isFinite, shortfalls.allSatisfy(\.isFinite) else { return nil }
      self.init(lambda: lambda, preservation: max(preservation, 0), shortfalls: shortfalls)
    }
  }

  /// One edited tensor of one batch.
  public struct Curve: Sendable {
    public let batch: Int
    public let tensor: ByteString
    /// tr(W C W^T), if the patch records it.
    public let outputPower: Double?
    /// Whether the patch does not tell what the ridge has in its preservation, which then is at most what it says.
    public let isUpperBound: Bool
    /// The slack that the patch was solved with.
    public let lambda: Double
    /// Ascending; without those lambdas at which there is no solution.
    public let points: [Point]
  }

  public let curves: [Curve]

  /// - Parameters:
  ///   - batch: which batch; nil for all.
  ///   - lambdas: nil for the usual ones.
  /// - Throws: an `ErrataError` if a batch cannot be solved again.
  /// - Complexity: O(E^3 + E^2 d_out) for each tensor and lambda.
  public init(of file: PatchFile, batch: Int? = nil, lambdas: [Double]? = nil) throws {
    let systems = try file.batchIndices(batch).map { ($0, try file.systems(ofBatch: $0)) }
    let lambdas =
      lambdas
      ?? Self.usualLambdas(
        systems.flatMap { $1.map(\.gram) }, recorded: systems.map { file.manifest.batches[$0.0].method.lambda })
    curves = try systems.flatMap { index, systems in
      let description = file.manifest.batches[index]
      return try zip(file.patch.batches[index].tensors, systems).map { factors, system in
        let text = try file.text(of: factors, batch: index)
        return Curve(
          batch: index, tensor: factors.name,
          outputPower: description.tensors[factors.name]?.outputPower.flatMap { $0 > 0 ? $0 : nil },
          isUpperBound: description.ridge(of: factors.name) == nil, lambda: description.method.lambda,
          points: lambdas.compactMap { Point(lambda: $0, of: system, text: text) })
      }
    }
  }

  /// All tensors together, at those lambdas at which each has a solution.
  public var total: [Point] {
    (curves.first?.points ?? []).compactMap { first in
      let points = curves.compactMap { curve in curve.points.first { $0.lambda == first.lambda } }
      guard points.count == curves.count else { return nil }
      return Point(
        lambda: first.lambda, preservation: points.reduce(0) { $0 + $1.preservation },
        shortfalls: points.flatMap(\.shortfalls))
    }
  }

  /// Whether the preservation of one of the tensors, and so their sum, is at most what it says.
  public var isUpperBound: Bool { curves.contains(where: \.isUpperBound) }

  /// The sum of tr(W C W^T) over the tensors (each counts once), if the patch records all of them.
  public var outputPower: Double? {
    var powers: [ByteString: Double] = [:]
    for curve in curves {
      guard let power = curve.outputPower else { return nil }
      powers[curve.tensor] = power
    }
    // In order, so that rounding does not depend on the order of a dictionary.
    return powers.values.sorted().reduce(0, +)
  }

  /// 0, what the patch records, and the powers of ten around the mean diagonal of G: lambda acts where it is of that
  /// size.
  static func usualLambdas(_ grams: [Matrix<Double>], recorded: [Double]) -> [Double] {
    let diagonal = grams.flatMap { gram in (0..<gram.rows).map { gram[$0, $0] } }
    let mean = diagonal.reduce(0, +) / Double(diagonal.count)
    guard mean > 0, mean.isFinite else { return Set(recorded + [0]).sorted() }
    let exponent = Int(log10(mean).rounded())
    // A literal is the nearest number to a power of ten; a product of tens need not be.
    let powers = (exponent - 4...exponent + 2).compactMap { Double("1e\($0)") }.filter(\.isFinite)
    return Set(recorded + [0] + powers).sorted()
  }
}
