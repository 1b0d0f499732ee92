import Foundation
import Safetensors
import Tensors

/// Whether every value of a patch's tensor is allowed (Spec: tensors): of `gram` finite, of a factor `stored *
/// 2^exponent` a finite float32 number, exactly. The tensor comes in pieces, in order; pieces begin and end at
/// elements.
struct FactorValueCheck {
  private enum Rule {
    case anything
    case finite
    /// Every element times the scale of its term: term `index / columns` or `index % columns`.
    case scaled(scales: [Double], columns: Int, termsAreColumns: Bool)
  }

  private let dtype: DType
  private let rule: Rule
  /// The elements that have come.
  private var count = 0

  init(_ part: PatchTensorName.Part, _ info: TensorInfo, exponents: [Int8]?) {
    dtype = info.dtype
    let exponents = exponents ?? []
    // Within these exponents every finite stored value is a float32 number: float16 reaches from 2^-24 to below 2^16,
    // int8 from 1 to 2^7, float32 from 2^-149 to below 2^128.
    let isWithin = exponents.allSatisfy { info.dtype == .i8 ? $0 <= 120 : (-125...111).contains($0) }
    switch part {
    // Of corrections there is more to check than values: see `CorrectionCheck`.
    case .leftExponents, .rightExponents, .keysExponents, .correction, .correctionGaps: rule = .anything
    case .gram, .text, .heldProduct, .left, .right, .keys:
      if isWithin {
        rule = info.dtype == .i8 ? .anything : .finite
      } else {
        rule = .scaled(
          scales: exponents.map { scalbn(1.0, Int($0)) }, columns: info.shape.extents[1],
          termsAreColumns: part == .left)
      }
    }
  }

  /// - Returns: false if a value is not allowed.
  mutating func accepts(_ piece: UnsafeRawBufferPointer) -> Bool {
    let width = dtype.bitsPerElement / 8
    let first = count
    count += piece.count / width
    switch rule {
    case .anything: return true
    case .finite: return Self.isFinite(piece, dtype)
    case .scaled(let scales, let columns, let termsAreColumns):
      return (first..<count).allSatisfy { index in
        let offset = (index - first) * width
        let stored =
          dtype == .i8
          ? Double(Int8(bitPattern: piece[offset]))
          : Double(piece.loadUnaligned(fromByteOffset: offset, as: Float16.self))
        let value = stored * scales[termsAreColumns ? index % columns : index / columns]
        return value.isFinite && Double(Float(value)) == value
      }
    }
  }

  /// That no exponent field is all ones; without a branch per element, so that it runs at the speed of memory.
  private static func isFinite(_ piece: UnsafeRawBufferPointer, _ dtype: DType) -> Bool {
    func check<Pattern: FixedWidthInteger & BitwiseCopyable>(_ field: Pattern) -> Bool {
      var fault: Pattern = 0
      for offset in stride(from: 0, to: piece.count, by: MemoryLayout<Pattern>.size) {
        let pattern = piece.loadUnaligned(fromByteOffset: offset, as: Pattern.self) & field
        fault |= pattern == field ? 1 : 0
      }
      return fault == 0
    }
    return switch dtype {
    case .f64: check(UInt64(0x7FF0_0000_0000_0000))
    case .f32: check(UInt32(0x7F80_0000))
    default: check(UInt16(0x7C00))
    }
  }
}
