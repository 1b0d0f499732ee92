import Foundation
import LinearAlgebra
import Tensors

/// How much two stored tensors of one weight type and shape differ, D = W' - W.
public struct DifferenceFigures: Sendable {
  /// How many elements have other bits.
  public let changedCount: Int
  public let elementCount: Int
  /// norm(D), Frobenius; not finite if a value of one of the tensors is not.
  public let norm: Double
  /// norm(W) of the first tensor.
  public let weightNorm: Double
  /// The largest absolute value in D.
  public let maximum: Double
  /// The most that rounding to the tensor's type can be expected to add to a singular value of D: rounding leaves a
  /// noise of variance ulp^2 / 12 in every element of the rows and columns that changed, also in those that it left as
  /// they were, and the norm of a matrix of independent noise is at most about the root of the largest row sum of its
  /// variances plus that of the largest column sum (A. S. Bandeira and R. van Handel, Sharp nonasymptotic bounds on the
  /// norm of random matrices with independent entries, 2016).
  public let roundingFloor: Double
  /// Whether every value of the first tensor is finite, and of the second.
  public let isFinite: (before: Bool, after: Bool)
  /// What a computed singular value of D can be off by, as a share of the largest one: `max(rows, columns) eps`. Where
  /// the edited values are zero, or far smaller than what was taken from them, this is more than the rounding floor.
  let computationError: Double

  init(_ difference: DifferenceMatrix) {
    let columns = difference.columns
    var (changed, square, weightSquare, maximum) = (0, 0.0, 0.0, 0.0)
    var isFinite = (before: true, after: true)
    var hull = Hull(rows: difference.rows, columns: columns)
    difference.forEachRun { elements, before, after in
      var (row, column) = elements.lowerBound.quotientAndRemainder(dividingBy: max(columns, 1))
      for index in 0..<elements.count {
        let (old, new) = (before[index], after[index])
        weightSquare += Double(old) * Double(old)
        if !old.isFinite { isFinite.before = false }
        if !new.isFinite { isFinite.after = false }
        if old.bitPattern != new.bitPattern {
          let step = Double(new) - Double(old)
          changed += 1
          square += step * step
          // A comparison with NaN would let it go.
          maximum = step.isFinite ? max(maximum, abs(step)) : .nan
          (hull.rows[row], hull.columns[column]) = (true, true)
        }
        column += 1
        if column == columns { (row, column) = (row + 1, 0) }
      }
    }
    changedCount = changed
    elementCount = difference.rows * columns
    norm = square.squareRoot()
    weightNorm = weightSquare.squareRoot()
    self.maximum = maximum
    self.isFinite = isFinite
    roundingFloor = changed > 0 && norm.isFinite ? hull.noiseNorm(of: difference) : 0
    computationError = Double(max(difference.rows, columns)) * .ulpOfOne
  }

  /// norm(D) / norm(W).
  public var relativeNorm: Double? { weightNorm > 0 ? norm / weightNorm : nil }
}

/// The rows and columns of a matrix in which something changed.
private struct Hull {
  var rows: [Bool]
  var columns: [Bool]

  init(rows: Int, columns: Int) {
    self.rows = [Bool](repeating: false, count: rows)
    self.columns = [Bool](repeating: false, count: columns)
  }

  /// About the most that the norm of the noise is which rounding left where they meet.
  func noiseNorm(of difference: DifferenceMatrix) -> Double {
    let noise = RoundingNoise(difference.after.dtype)
    var rowNoise = [Double](repeating: 0, count: rows.count)
    var columnNoise = [Double](repeating: 0, count: columns.count)
    difference.forEachRun { elements, _, after in
      var (row, column) = elements.lowerBound.quotientAndRemainder(dividingBy: max(columns.count, 1))
      for index in 0..<elements.count {
        if rows[row], columns[column] {
          let variance = noise.variance(after[index])
          rowNoise[row] += variance
          columnNoise[column] += variance
        }
        column += 1
        if column == columns.count { (row, column) = (row + 1, 0) }
      }
    }
    return (rowNoise.max() ?? 0).squareRoot() + (columnNoise.max() ?? 0).squareRoot()
  }
}

/// The variance of what rounding to a type leaves, ulp^2 / 12, by a value's binade.
private struct RoundingNoise {
  private let variances: [Double]

  init(_ dtype: DType) {
    let (fractionBits, lowest) =
      switch dtype {
      case .bf16: (7, 1)
      case .f16: (10, 127 - 14)
      default: (23, 1)
      }
    // The exponent field of a float32, whose least value stands for subnormal numbers; those of a type begin at
    // `lowest`.
    variances = (0..<256).map { field in
      let ulp = scalbn(1.0, max(field, lowest) - 127 - fractionBits)
      return ulp * ulp / 12
    }
  }

  @inline(__always)
  func variance(_ value: Float) -> Double { variances[Int(value.bitPattern >> 23 & 0xFF)] }
}

/// How many components a difference needs.
public struct NumericalRank: Sendable, Equatable {
  /// What counts as nothing.
  public enum Rule: Sendable, Equatable {
    /// Singular values that rounding explains, that of the stored values (see `DifferenceFigures.roundingFloor`) or
    /// that of the computation.
    case rounding
    /// What leaves at most this share of norm(D).
    case tolerance(Double)
  }

  public let rule: Rule
  public let value: Int
  /// Whether it is only known that the rank is not smaller: the search went no further.
  public let isLowerBound: Bool

  /// Counts singular values, descending.
  ///
  /// - Parameter norm: norm(D), Frobenius.
  init(_ values: [Double], isComplete: Bool, of figures: DifferenceFigures, rule: Rule) {
    self.rule = rule
    let needed = Self.needed(values, of: figures, rule: rule)
    value = needed ?? values.count
    isLowerBound = needed == nil && !isComplete
  }

  /// Whether more values are needed than there are here, all of which may be larger than these bounds say. Where a
  /// tolerance decides, larger values leave less, and the bounds do not tell.
  ///
  /// - Parameter bounds: not above the largest singular values, descending.
  static func moreAreNeeded(than bounds: [Double], of figures: DifferenceFigures, rule: Rule) -> Bool {
    guard rule == .rounding, let last = bounds.last else { return false }
    // No singular value is above the norm.
    return last > max(figures.roundingFloor, figures.norm * figures.computationError)
  }

  /// How many of the values are needed; nil if all of them are, and perhaps more.
  static func needed(_ values: [Double], of figures: DifferenceFigures, rule: Rule) -> Int? {
    // Below this a value may as well be zero.
    let zero = (values.first ?? 0) * figures.computationError
    switch rule {
    case .rounding:
      return values.firstIndex { $0 <= max(figures.roundingFloor, zero) }
    case .tolerance(let tolerance):
      let allowed = (tolerance * figures.norm) * (tolerance * figures.norm)
      var left = figures.norm * figures.norm
      for (index, value) in values.enumerated() {
        if left <= allowed || value <= zero { return index }
        left = max(left - value * value, 0)
      }
      return left <= allowed ? values.count : nil
    }
  }
}
