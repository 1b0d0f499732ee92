import CKernels
import Tensors

/// How a weight type stores a number: a sign, an exponent field, and explicit fraction bits.
package struct StoredFormat: Sendable {
  package let type: errata_stored_type
  package let fractionBits: Int
  /// Bytes per element.
  package let width: Int

  /// Nil for what is not a weight type.
  package init?(_ dtype: DType) {
    switch dtype {
    case .bf16: (type, fractionBits, width) = (errata_stored_bf16, 7, 2)
    case .f16: (type, fractionBits, width) = (errata_stored_f16, 10, 2)
    case .f32: (type, fractionBits, width) = (errata_stored_f32, 23, 4)
    default: return nil
    }
  }

  /// The pattern at `index` in the order of values: a magnitude m with sign is -1 - m, so -0 comes right before +0.
  @inline(__always)
  func ordered(_ bytes: UnsafeRawPointer, _ index: Int) -> Int32 {
    if width == 4 {
      let bits = (bytes + 4 * index).loadUnaligned(as: Int32.self)
      return bits < 0 ? bits ^ Int32.max : bits
    }
    let bits = (bytes + 2 * index).loadUnaligned(as: Int16.self)
    return Int32(bits < 0 ? bits ^ Int16.max : bits)
  }

  @inline(__always)
  package func store(_ ordered: Int32, _ bytes: UnsafeMutableRawPointer, _ index: Int) {
    if width == 4 {
      (bytes + 4 * index).storeBytes(of: ordered < 0 ? ordered ^ Int32.max : ordered, as: Int32.self)
    } else {
      let bits = Int16(truncatingIfNeeded: ordered)
      (bytes + 2 * index).storeBytes(of: bits < 0 ? bits ^ Int16.max : bits, as: Int16.self)
    }
  }
}

extension StoredFormat {
  /// The magnitude pattern of infinity: every finite magnitude is below it.
  var infinity: Int32 {
    let exponentBits = 8 * width - 1 - fractionBits
    return ((1 << exponentBits) - 1) << fractionBits
  }
}
