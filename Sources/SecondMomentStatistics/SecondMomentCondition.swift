import LinearAlgebra
import Tensors

/// How well the second moments of a layer can be inverted, which every edit does.
public struct SecondMomentCondition: Sendable, Equatable {
  /// What to think of them.
  public enum Verdict: String, Sendable {
    /// At least 10 tokens per value of a key.
    case good
    /// Fewer: edits spill more than they need to.
    case usable
    /// Fewer than 2: expect edits to spill.
    case poor
    /// Positive definite by less than the rounding of the stored numbers.
    case illConditioned = "ill-conditioned"
    /// Not positive definite.
    case singular
  }

  public let layer: Int
  public let tokenCount: Int
  /// d_in.
  public let keyLength: Int
  /// How many features are zero in every key.
  public let deadFeatures: Int
  /// Of C, with the ridge, in the 1-norm (an estimate, LAPACK dpocon); nil if it is singular.
  public let condition: Double?
  /// The least share of a feature's mean square that the features before it do not determine: l_ii^2 / c_ii, where
  /// C = L L^T. nil if C is singular. It does not depend on the features' scales, as the condition number does.
  public let smallestPivot: Double?

  public var tokensPerValue: Double { Double(tokenCount) / Double(keyLength) }
  /// How many tokens more would be ten per value.
  public var missingTokens: Int { max(0, 10 * keyLength - tokenCount) }

  public var verdict: Verdict {
    guard let smallestPivot else { return .singular }
    if smallestPivot < Self.leastPivot { return .illConditioned }
    return tokensPerValue < 2 ? .poor : tokensPerValue < 10 ? .usable : .good
  }

  /// C is stored in binary32, with relative errors of 2^-24: a pivot that is not well above that is rounding.
  private static let leastPivot = 0x1p-20

  /// - Parameter ridge: added to the diagonal, in units of its mean, as `errata edit` does.
  /// - Throws: an `ErrataError` if the file has no such layer, or its numbers are not finite.
  public init(_ statistics: SecondMoments, layer: Int, ridge: Double = 0) throws {
    var system = try statistics.triangle(layer: layer)
    guard system.size > 0 else { throw ErrataError.notStatistics(statistics.path, "layer \(layer) is empty") }
    self.layer = layer
    tokenCount = statistics.tokenCount
    keyLength = system.size
    deadFeatures = system.diagonal.count { $0 == 0 }
    system.addRidge(ridge)
    let (diagonal, norm) = (system.diagonal, system.oneNorm)
    do {
      // Large: nobody else holds it.
      let factor = try Cholesky(consume system)
      let reciprocal = factor.reciprocalCondition(norm: norm)
      smallestPivot = zip(factor.pivots, diagonal).map { $0 / $1 }.min()
      condition = (1 / reciprocal).isFinite ? 1 / reciprocal : nil
    } catch {
      condition = nil
      smallestPivot = nil
    }
  }

  /// The verdict and what to do about it, for people.
  public var advice: String {
    let more = "\(missingTokens) more tokens"
    let remedy = missingTokens > 0 ? "count \(more), or add --ridge 1e-4" : "add --ridge 1e-4"
    switch verdict {
    case .good: return "good"
    case .usable: return "usable; \(more) are better"
    case .poor: return "poor: expect edits to spill; count \(more)"
    case .illConditioned: return "ill-conditioned: \(remedy)"
    case .singular:
      let reason = deadFeatures > 0 ? ", with \(deadFeatures) always zero" : ""
      return "singular\(reason): \(remedy)"
    }
  }
}

extension PackedTriangle {
  /// Adds `ridge` times the mean of the diagonal to the diagonal (`SecondMoments.ridge` gives what it adds).
  public mutating func addRidge(_ ridge: Double) {
    guard ridge > 0, size > 0 else { return }
    add(toDiagonal: ridge * diagonal.reduce(0, +) / Double(size))
  }
}
