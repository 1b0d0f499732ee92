import Foundation
import Tensors

/// Where the facts of a factor lie: A has a column per fact, B and the keys have a row.
public enum FactAxis: Sendable {
  case columns
  case rows
}

extension StoredFactor {
  /// Stores a matrix, rounded to nearest, ties to even, with one power-of-two scale per fact for the narrow types.
  ///
  /// Rounding can carry a value next to the largest float32 number out of range; `values` then says so.
  ///
  /// - Parameters:
  ///   - matrix: finite values.
  ///   - dtype: `.f32`, `.f16` or `.i8`.
  ///   - facts: along which axis each fact has its own scale.
  public init(_ matrix: Matrix<Float>, dtype: DType, facts: FactAxis) {
    precondition(StoredFactor.dtypes.contains(dtype), "not a type for factors")
    if dtype == .f32 {
      let bytes = matrix.elements.withUnsafeBytes(Array.init)
      self.init(dtype: .f32, rows: matrix.rows, columns: matrix.columns, bytes: bytes)
      return
    }
    let exponents = Self.largestMagnitudes(matrix, facts).map { Self.exponent(largest: $0, dtype) }
    var scaled = matrix
    scaled.scale(by: exponents.map { -Int($0) }, facts)
    let bytes: [UInt8] =
      if dtype == .f16 {
        scaled.elements.withUnsafeBufferPointer { narrow($0, to: .f16) }
      } else {
        scaled.elements.map { UInt8(bitPattern: Int8($0.rounded(.toNearestOrEven))) }
      }
    self.init(dtype: dtype, rows: matrix.rows, columns: matrix.columns, bytes: bytes, exponents: exponents)
  }

  /// The types that factors may be stored in.
  static let dtypes: [DType] = [.f32, .f16, .i8]

  /// The exact values, `stored * 2^exponent`; nil if one of them is not a finite float32 number.
  public func values(facts: FactAxis) -> Matrix<Float>? {
    var matrix: Matrix<Float>
    if dtype == .i8 {
      matrix = Matrix(rows: rows, columns: columns, elements: bytes.map { Float(Int8(bitPattern: $0)) })
    } else {
      matrix = bytes.withUnsafeBytes { Matrix(rows: rows, columns: columns, stored: $0, dtype: dtype) }
    }
    if let exponents {
      let isExact = matrix.scale(by: exponents.map(Int.init), facts)
      guard isExact else { return nil }
    }
    let isFinite = matrix.withUnsafePointer { values in (0..<matrix.count).allSatisfy { values[$0].isFinite } }
    return isFinite ? matrix : nil
  }

  private static func largestMagnitudes(_ matrix: Matrix<Float>, _ facts: FactAxis) -> [Float] {
    var result = [Float](repeating: 0, count: facts == .rows ? matrix.rows : matrix.columns)
    matrix.withUnsafePointer { elements in
      for row in 0..<matrix.rows {
        for column in 0..<matrix.columns {
          let fact = facts == .rows ? row : column
          result[fact] = max(result[fact], abs(elements[row * matrix.columns + column]))
        }
      }
    }
    return result
  }

  /// The exponent that puts the largest element near the top of the type's range, so that the fewest small ones are
  /// lost.
  private static func exponent(largest: Float, _ dtype: DType) -> Int8 {
    guard largest > 0, largest.isFinite else { return 0 }
    if dtype == .f16 {
      // float16 reaches 65504: below 2^15, rounding cannot overflow. At -125 its smallest number is still a float32.
      return Int8(max(Int(largest.exponent) - 14, -125))
    }
    // int8 reaches 127; one bit less where rounding up could pass it.
    return Int8(max(Int(largest.exponent) - (largest.significand > 127.0 / 64 ? 5 : 6), -128))
  }
}

extension Matrix<Float> {
  /// Multiplies every element by two to the power of its fact's exponent, rounded once.
  ///
  /// - Returns: whether none was rounded: exact unless it leaves the range of float32, or is NaN.
  @discardableResult
  fileprivate mutating func scale(by exponents: [Int], _ facts: FactAxis) -> Bool {
    let scales = exponents.map { scalbn(1.0, $0) }
    let (rows, columns) = (rows, columns)
    return withUnsafeMutablePointer { elements in
      var inexactCount = 0
      for row in 0..<rows {
        for column in 0..<columns {
          let exact = Double(elements[row * columns + column]) * scales[facts == .rows ? row : column]
          let rounded = Float(exact)
          inexactCount += Double(rounded) == exact ? 0 : 1
          elements[row * columns + column] = rounded
        }
      }
      return inexactCount == 0
    }
  }
}

extension Matrix<Double> {
  /// A factor in float32, from which the types for factors are made.
  ///
  /// A fact's values vanish in float32 where its slack is extreme. Beside its residual that is no error, since the fact
  /// was to be far short of it; but the residual follows from the factor, and would be lost.
  ///
  /// - Throws: an `ErrataError` if a value is not finite in float32, or if a fact's values lose a thousandth of the
  ///   largest.
  public func narrowedFactor(_ facts: FactAxis) throws -> Matrix<Float> {
    let single = narrowed()
    guard single.elements.allSatisfy(\.isFinite) else { throw ErrataError.factorsNotFinite }
    var (largest, lost) = ([Double](repeating: 0, count: facts == .rows ? rows : columns), [Double]())
    lost = largest
    for row in 0..<rows {
      for column in 0..<columns {
        let (value, fact) = (self[row, column], facts == .rows ? row : column)
        largest[fact] = max(largest[fact], abs(value))
        lost[fact] = max(lost[fact], abs(value - Double(single[row, column])))
      }
    }
    guard zip(lost, largest).allSatisfy({ $0 <= 1e-3 * $1 }) else { throw ErrataError.factorsVanish }
    return single
  }
}

extension LowRankFactors {
  /// A, d_out x E, in exact float32 values; nil if one is not a finite float32 number (no such patch can be read).
  public func leftValues() -> Matrix<Float>? { left.values(facts: .columns) }

  /// B, E x d_in, likewise.
  public func rightValues() -> Matrix<Float>? { right.values(facts: .rows) }

  /// K^T, E x d_in, likewise; nil also if the patch does not carry the keys.
  public func keyValues() -> Matrix<Float>? { keys?.values(facts: .rows) }
}
