import Foundation
import Tensors

/// How the values of two tensors of one shape and two weight types have to do with each other.
public enum Retyping: String, Sendable {
  /// Every value is the same.
  case sameValues = "same_values"
  /// The second is the first, rounded to its type.
  case rounded
  /// The first is the second, rounded to its type.
  case roundedBack = "rounded_back"
  case otherValues = "other_values"

  /// In words, for the types of the first and the second.
  public func text(_ first: DType, _ second: DType) -> String {
    switch self {
    case .sameValues: "with the same values"
    case .rounded: "with the same values, rounded to \(second.rawValue)"
    case .roundedBack: "with the same values, rounded to \(first.rawValue)"
    case .otherValues: "with other values"
    }
  }
}

extension StoredTensor {
  /// Whether another tensor has the values of this one in another weight type; nil if the shapes differ, if the types
  /// are the same, or if one is no weight type.
  public func retyping(to other: StoredTensor) -> Retyping? {
    guard shape == other.shape, dtype != other.dtype, dtype.isWeightType, other.dtype.isWeightType else { return nil }
    return switch (isConverted(to: other), other.isConverted(to: self)) {
    case (true, true): .sameValues
    case (true, false): .rounded
    case (false, true): .roundedBack
    case (false, false): .otherValues
    }
  }

  private func isConverted(to other: StoredTensor) -> Bool {
    var isEqual = true
    forEachConvertedPiece(to: other.dtype) { bytes, offset in
      isEqual = isEqual && memcmp(bytes, other.bytes.baseAddress! + offset, bytes.count) == 0
      let start = other.info.fileRange.lowerBound + offset
      other.file.release(start..<start + bytes.count)
    }
    return isEqual
  }

  /// The tensor digest of this tensor's values, rounded to another weight type where that is narrower.
  ///
  /// - Precondition: both are weight types.
  public func digest(convertedTo dtype: DType) -> Digest {
    var hasher = DigestHasher(tensorOf: dtype, shape: shape)
    forEachConvertedPiece(to: dtype) { bytes, _ in hasher.update(bytes) }
    return hasher.finalize()
  }

  /// Calls `body` with the bytes of the tensor in another weight type, in order, and with how many went before.
  private func forEachConvertedPiece(to dtype: DType, _ body: (_ bytes: [UInt8], _ offset: Int) -> Void) {
    let (width, newWidth) = (self.dtype.bitsPerElement / 8, dtype.bitsPerElement / 8)
    let perPiece = 1 << 20
    for start in stride(from: 0, to: info.elementCount, by: perPiece) {
      let range = start * width..<min(start + perPiece, info.elementCount) * width
      let values = [Float](unsafeUninitializedCapacity: range.count / width) { buffer, count in
        count = range.count / width
        widen(
          UnsafeRawBufferPointer(rebasing: bytes[range]), dtype: self.dtype,
          into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      }
      let place = info.fileRange.lowerBound
      file.release(place + range.lowerBound..<place + range.upperBound)
      body(values.withUnsafeBufferPointer { narrow($0, to: dtype) }, start * newWidth)
    }
  }
}
