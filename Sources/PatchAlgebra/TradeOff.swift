import Foundation
import LinearAlgebra
import Tensors
import WeightPatch

/// What an edit would cost and bring at other slacks, from its factors alone.
public struct TradeOff: Sendable {
  /// The edit at one lambda.
  public struct Point: Sendable {
    public let lambda: Double
    /// tr(A G A^T), the mean squared disturbance of ordinary text.
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

    /// - Throws: `Cholesky.NotPositiveDefinite` if there is no solution at this lambda.
    init(lambda: Double, of system: GramSystem) throws(Cholesky.NotPositiveDefinite) {
      let left = try system.left(lambda: lambda)
      let product = left.multiplied(by: system.gram)
      let preservation = zip(product.elements, left.elements).reduce(0) { $0 + $1.0 * $1.1 }
      let shortfalls = zip(left.columnNorms(), system.residuals.columnNorms()).map { $1 > 0 ? lambda * $0 / $1 : 0 }
      self.init(lambda: lambda, preservation: preservation, shortfalls: shortfalls)
    }
  }

  /// One edited tensor of one batch.
  public struct Curve: Sendable {
    public let batch: Int
    public let tensor: ByteString
    /// tr(W C W^T), if the patch records it.
    public let outputPower: Double?
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
    curves = systems.flatMap { index, systems in
      let description = file.manifest.batches[index]
      return zip(file.patch.batches[index].tensors, systems).map { factors, system in
        Curve(
          batch: index, tensor: factors.name,
          outputPower: description.tensors[factors.name]?.outputPower.flatMap { $0 > 0 ? $0 : nil },
          lambda: description.method.lambda, points: lambdas.compactMap { try? Point(lambda: $0, of: system) })
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

  /// 0, what the patch records, and the powers of ten around the mean diagonal of G: lambda acts where it is of that size.
  static func usualLambdas(_ grams: [Matrix<Double>], recorded: [Double]) -> [Double] {
    let diagonal = grams.flatMap { gram in (0..<gram.rows).map { gram[$0, $0] } }
    let mean = diagonal.reduce(0, +) / Double(diagonal.count)
    guard mean > 0 else { return Set(recorded + [0]).sorted() }
    let exponent = Int(log10(mean).rounded())
    // A literal is the nearest number to a power of ten; a product of tens need not be.
    return Set(recorded + [0] + (exponent - 4...exponent + 2).map { Double("1e\($0)")! }).sorted()
  }
}
