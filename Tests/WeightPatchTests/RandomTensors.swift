import CKernels
import Tensors
import TestSupport

@testable import WeightPatch

/// Stored elements of a weight type, one bit pattern each.
struct StoredElements: Equatable {
  let dtype: DType
  var patterns: [UInt32]

  var bytes: [UInt8] {
    dtype == .f32
      ? patterns.withUnsafeBytes(Array.init)
      : patterns.map { UInt16($0) }.withUnsafeBytes(Array.init)
  }

  init(_ dtype: DType, patterns: [UInt32]) {
    self.dtype = dtype
    self.patterns = patterns
  }

  init(_ dtype: DType, bytes: [UInt8]) {
    self.dtype = dtype
    patterns = bytes.withUnsafeBytes { raw in
      dtype == .f32
        ? (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) }
        : (0..<raw.count / 2).map { UInt32(raw.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) }
    }
  }

  /// Any finite pattern, all equally likely, with some zeros of both signs.
  static func randomPatterns(_ dtype: DType, count: Int, using random: inout SeededGenerator) -> StoredElements {
    let format = StoredFormat(dtype)!
    let sign: UInt32 = 1 << (8 * UInt32(format.width) - 1)
    return StoredElements(
      dtype,
      patterns: (0..<count).map { _ in
        let bits = random.next()
        let magnitude = bits & 0xF00 == 0 ? 0 : UInt32(bits >> 32) % UInt32(format.infinity)
        return magnitude | (bits & 1 == 0 ? 0 : sign)
      })
  }

  /// Normal values of standard deviation `scale`.
  static func gaussian(_ dtype: DType, count: Int, scale: Double, using random: inout SeededGenerator)
    -> StoredElements
  {
    StoredElements(dtype, patterns: (0..<count).map { _ in round(random.gaussian() * scale, to: dtype) })
  }

  func value(_ index: Int) -> Double {
    switch dtype {
    case .bf16: Double(Float(bitPattern: patterns[index] << 16))
    case .f16: Double(Float16(bitPattern: UInt16(patterns[index])))
    default: Double(Float(bitPattern: patterns[index]))
    }
  }

  /// The scalar conversions, as a witness for the kernel's own rounding.
  static func round(_ value: Double, to dtype: DType) -> UInt32 {
    switch dtype {
    case .bf16: UInt32(errata_f64_to_bf16(value))
    case .f16: UInt32(errata_f64_to_f16(value))
    default: Float(value).bitPattern
    }
  }
}

extension StoredFactor {
  /// A float32 factor.
  init(rows: Int, columns: Int, _ value: (Int, Int) -> Float) {
    let values = (0..<rows * columns).map { value($0 / columns, $0 % columns) }
    self.init(dtype: .f32, rows: rows, columns: columns, bytes: values.withUnsafeBytes(Array.init))
  }

  /// The value of an element, read plainly.
  func value(_ row: Int, _ column: Int, fact: Int) -> Double {
    let index = row * columns + column
    let stored: Double = bytes.withUnsafeBytes { raw in
      switch dtype {
      case .f32: Double(raw.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
      case .f16: Double(raw.loadUnaligned(fromByteOffset: 2 * index, as: Float16.self))
      default: Double(raw.loadUnaligned(fromByteOffset: index, as: Int8.self))
      }
    }
    return exponents.map { stored * Double(sign: .plus, exponent: Int($0[fact]), significand: 1) } ?? stored
  }
}

extension LowRankFactors {
  static func random(
    _ name: ByteString = "w", outputs: Int, inputs: Int, facts: Int, scale: Double, isTransposed: Bool = false,
    type: DType = .f32, using random: inout SeededGenerator
  ) -> LowRankFactors {
    func factor(_ rows: Int, _ columns: Int, scale: Double, using random: inout SeededGenerator) -> StoredFactor {
      switch type {
      case .f32:
        let values = (0..<rows * columns).map { _ in Float(random.gaussian() * scale) }
        return StoredFactor(rows: rows, columns: columns) { values[$0 * columns + $1] }
      case .f16:
        let values = (0..<rows * columns).map { _ in errata_f64_to_f16(random.gaussian()) }
        let exponents = (0..<facts).map { _ in Int8.random(in: -20...3, using: &random) }
        return StoredFactor(
          dtype: .f16, rows: rows, columns: columns, bytes: values.withUnsafeBytes(Array.init), exponents: exponents)
      default:
        let values = (0..<rows * columns).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let exponents = (0..<facts).map { _ in Int8.random(in: -30...(-5), using: &random) }
        return StoredFactor(dtype: .i8, rows: rows, columns: columns, bytes: values, exponents: exponents)
      }
    }
    let left = factor(outputs, facts, scale: scale, using: &random)
    let right = factor(facts, inputs, scale: 1, using: &random)
    return LowRankFactors(name: name, isTransposed: isTransposed, left: left, right: right)
  }
}

/// Spec: exact apply, word for word.
func appliedPlainly(_ factors: [LowRankFactors], to base: StoredElements, rows: Int, columns: Int) -> StoredElements {
  var result = base
  for row in 0..<rows {
    for column in 0..<columns {
      var delta = 0.0
      for factor in factors {
        let (i, j) = factor.isTransposed ? (column, row) : (row, column)
        for e in 0..<factor.rank {
          delta += factor.left.value(i, e, fact: e) * factor.right.value(e, j, fact: e)
        }
      }
      let index = row * columns + column
      result.patterns[index] = StoredElements.round(base.value(index) + delta, to: base.dtype)
    }
  }
  return result
}
