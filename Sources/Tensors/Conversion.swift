import CKernels

extension Matrix where Element == Float {
  /// Reads `rows * columns` stored elements of `dtype` and widens them to float32 (exact for every weight type).
  ///
  /// - Parameter bytes: exactly the elements' bytes, little-endian, of any alignment.
  /// - Precondition: `dtype.isWeightType`, and the number of bytes fits.
  public init(rows: Int, columns: Int, stored bytes: UnsafeRawBufferPointer, dtype: DType) {
    self.init(uninitializedRows: rows, columns: columns)
    withUnsafeMutablePointer { destination in
      widen(bytes, dtype: dtype, into: UnsafeMutableBufferPointer(start: destination, count: rows * columns))
    }
  }

  /// Every element in binary64 (exact).
  public func widened() -> Matrix<Double> {
    var result = Matrix<Double>(uninitializedRows: rows, columns: columns)
    let count = self.count
    withUnsafePointer { source in
      result.withUnsafeMutablePointer { destination in
        for index in 0..<count { destination[index] = Double(source[index]) }
      }
    }
    return result
  }
}

extension Matrix where Element == Double {
  /// Every element rounded to float32, to nearest, ties to even.
  public func narrowed() -> Matrix<Float> {
    var result = Matrix<Float>(uninitializedRows: rows, columns: columns)
    let count = self.count
    withUnsafePointer { source in
      result.withUnsafeMutablePointer { destination in
        for index in 0..<count { destination[index] = Float(source[index]) }
      }
    }
    return result
  }
}

/// Widens stored elements to float32.
///
/// - Precondition: `dtype.isWeightType`, and `bytes` holds exactly `destination.count` elements.
public func widen(_ bytes: UnsafeRawBufferPointer, dtype: DType, into destination: UnsafeMutableBufferPointer<Float>) {
  precondition(bytes.count * 8 == destination.count * dtype.bitsPerElement, "bytes and elements do not match")
  guard let target = destination.baseAddress, destination.count > 0 else { return }
  switch dtype {
  case .f32:
    UnsafeMutableRawPointer(target).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
  case .f16, .bf16:
    withAlignedHalves(bytes) { source in
      if dtype == .bf16 {
        errata_bf16_to_f32(source, target, destination.count)
      } else {
        errata_f16_to_f32(source, target, destination.count)
      }
    }
  default:
    preconditionFailure("\(dtype.rawValue) is not a weight type")
  }
}

/// Rounds float32 values to a stored type, to nearest, ties to even, appending the bytes.
///
/// - Precondition: `dtype.isWeightType`.
public func narrow(_ source: UnsafeBufferPointer<Float>, to dtype: DType) -> [UInt8] {
  switch dtype {
  case .f32:
    return Array(UnsafeRawBufferPointer(source))
  case .f16, .bf16:
    guard let base = source.baseAddress else { return [] }
    let halves = [UInt16](unsafeUninitializedCapacity: source.count) { buffer, initialized in
      if dtype == .bf16 {
        errata_f32_to_bf16(base, buffer.baseAddress, source.count)
      } else {
        errata_f32_to_f16(base, buffer.baseAddress, source.count)
      }
      initialized = source.count
    }
    return halves.withUnsafeBytes(Array.init)
  default:
    preconditionFailure("\(dtype.rawValue) is not a weight type")
  }
}

/// A safetensors file promises no alignment; unaligned halves are copied first.
private func withAlignedHalves(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt16>) -> Void) {
  if Int(bitPattern: bytes.baseAddress) % 2 == 0 {
    body(bytes.assumingMemoryBound(to: UInt16.self).baseAddress!)
  } else {
    let copy = [UInt16](unsafeUninitializedCapacity: bytes.count / 2) { buffer, initialized in
      UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
      initialized = bytes.count / 2
    }
    copy.withUnsafeBufferPointer { body($0.baseAddress!) }
  }
}
