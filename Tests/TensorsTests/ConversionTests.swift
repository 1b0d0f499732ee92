import CKernels
import Tensors
import TestSupport
import Testing

@Suite struct ConversionTests {
  private static let allPatterns = (0...UInt16.max).map { $0 }

  private func widened(_ patterns: [UInt16], _ dtype: DType) -> [Float] {
    [Float](unsafeUninitializedCapacity: patterns.count) { buffer, count in
      patterns.withUnsafeBytes {
        widen($0, dtype: dtype, into: UnsafeMutableBufferPointer(rebasing: buffer[..<patterns.count]))
      }
      count = patterns.count
    }
  }

  private func narrowed(_ values: [Float], _ dtype: DType) -> [UInt16] {
    let bytes = values.withUnsafeBufferPointer { narrow($0, to: dtype) }
    return stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
  }

  /// bfloat16 by choosing, among the two neighbours of the value, the nearer one: no bit trick in common with the code.
  private func referenceBF16(_ value: Double) -> UInt16 {
    let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
    if value.isNaN { return 0x7FC0 | sign }
    let magnitude = value.magnitude
    // The overflow threshold is half a unit above the largest value.
    if magnitude >= 0x1.FFp127 { return 0x7F80 | sign }
    let quantum = max(
      0x1p-133, magnitude == 0 ? 0 : Double(sign: .plus, exponent: Int(magnitude.exponent) - 7, significand: 1))
    let rounded = (magnitude / quantum).rounded(.toNearestOrEven) * quantum
    return UInt16(Float(rounded).bitPattern >> 16) | sign
  }

  private func referenceF16(_ value: Double) -> UInt16 { Float16(value).bitPattern }

  /// Values where rounding can go wrong: every midpoint of the format, its two binary64 neighbours, and extremes.
  private func hardValues(_ dtype: DType) -> [Double] {
    let finite = widened(Self.allPatterns.filter { $0 < (dtype == .bf16 ? 0x7F80 : 0x7C00) }, dtype).map(Double.init)
    var values = finite
    for (low, high) in zip(finite, finite.dropFirst()) {
      let middle = (low + high) / 2
      values += [middle, middle.nextUp, middle.nextDown, low.nextUp, high.nextDown]
    }
    let last = finite[finite.count - 1]
    let threshold = last + (last - finite[finite.count - 2]) / 2
    values += [
      threshold, threshold.nextUp, threshold.nextDown, .greatestFiniteMagnitude, .infinity, .leastNonzeroMagnitude,
      .leastNormalMagnitude, 0x1p-200, 1e300,
    ]
    return values + values.map(-)
  }

  @Test(arguments: [DType.bf16, .f16]) func everyPatternComesBack(dtype: DType) {
    let back = narrowed(widened(Self.allPatterns, dtype), dtype)
    let (infinity, quiet): (UInt16, UInt16) = dtype == .bf16 ? (0x7F80, 0x40) : (0x7C00, 0x200)
    for (pattern, found) in zip(Self.allPatterns, back) {
      if pattern & 0x7FFF > infinity {
        #expect(found & 0x7FFF > infinity && found & quiet != 0 && found & 0x8000 == pattern & 0x8000)
      } else {
        #expect(found == pattern)
      }
    }
  }

  @Test func wideningMatchesTheStandardLibrary() {
    for (pattern, value) in zip(Self.allPatterns, widened(Self.allPatterns, .f16)) {
      let expected = Float(Float16(bitPattern: pattern))
      #expect(value.bitPattern == expected.bitPattern || (value.isNaN && expected.isNaN))
    }
    for (pattern, value) in zip(Self.allPatterns, widened(Self.allPatterns, .bf16)) {
      #expect(value.bitPattern == UInt32(pattern) << 16)
    }
  }

  @Test(arguments: [DType.bf16, .f16]) func float32RoundsToNearestEven(dtype: DType) {
    var random = SeededGenerator(seed: 2)
    var values = hardValues(dtype).map { Float($0) }
    values += values.flatMap { [$0.nextUp, $0.nextDown] }
    values += (0..<200_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
    values = values.map { $0.isNaN ? 0 : $0 }
    let found = narrowed(values, dtype)
    for (value, bits) in zip(values, found) {
      let expected = dtype == .bf16 ? referenceBF16(Double(value)) : referenceF16(Double(value))
      #expect(bits == expected, "\(value) to \(dtype.rawValue)")
    }
  }

  @Test(arguments: [DType.bf16, .f16]) func binary64RoundsOnce(dtype: DType) {
    var random = SeededGenerator(seed: 3)
    var values = hardValues(dtype)
    values += (0..<200_000).map { _ in Double(bitPattern: random.next()) }.filter { !$0.isNaN }
    values += (0..<200_000).map { _ in
      let exponent = Int.random(in: -150...130, using: &random)
      return Double(sign: .plus, exponent: exponent, significand: .random(in: 1..<2, using: &random))
    }
    for value in values {
      let (found, expected) =
        dtype == .bf16
        ? (errata_f64_to_bf16(value), referenceBF16(value)) : (errata_f64_to_f16(value), referenceF16(value))
      #expect(found == expected, "\(value) to \(dtype.rawValue)")
    }
  }

  /// A little above a midpoint of the 16-bit format, by less than float32 can tell: by way of float32 these would
  /// become the midpoint, and then the even neighbour.
  @Test func doubleRoundingWouldShow() {
    let bf16 = 1 + 0x1p-8 + 0x1p-40
    #expect(errata_f64_to_bf16(bf16) == 0x3F81)
    #expect(narrowed([Float(bf16)], .bf16) == [0x3F80])
    let f16 = 1 + 0x1p-11 + 0x1p-40
    #expect(errata_f64_to_f16(f16) == 0x3C01)
    #expect(narrowed([Float(f16)], .f16) == [0x3C00])
    // Half of the smallest subnormal, and a little more.
    #expect(errata_f64_to_bf16(0x1p-134) == 0)
    #expect(errata_f64_to_bf16((0x1p-134).nextUp) == 1)
    #expect(errata_f64_to_f16(-0x1p-25) == 0x8000)
    #expect(errata_f64_to_f16((-0x1p-25).nextDown) == 0x8001)
  }

  /// Vectorized loops handle eight values at a time: NaN must stay NaN wherever it stands, payload in the low bits or
  /// not.
  @Test(arguments: [DType.bf16, .f16]) func notANumberStaysOne(dtype: DType) {
    let infinity: UInt16 = dtype == .bf16 ? 0x7F80 : 0x7C00
    for bits: UInt32 in [0x7F80_0001, 0x7FBF_FFFF, 0x7FC0_0000, 0x7FFF_FFFF, 0xFF80_0001, 0xFFFF_FFFF] {
      for length in 1...19 {
        for place in 0..<length {
          var values = [Float](repeating: 1.5, count: length)
          values[place] = Float(bitPattern: bits)
          let found = narrowed(values, dtype)
          for (index, value) in found.enumerated() {
            if index == place {
              #expect(value & 0x7FFF > infinity)
              #expect(value >> 15 == UInt16(bits >> 31))
            } else {
              #expect(value == (dtype == .bf16 ? 0x3FC0 : 0x3E00))
            }
          }
        }
      }
    }
    #expect(errata_f64_to_bf16(.nan) & 0x7FFF > 0x7F80)
    #expect(errata_f64_to_f16(-.nan) & 0x7FFF > 0x7C00)
  }

  @Test func readsUnalignedElements() {
    let bytes: [UInt8] = [0xFF, 0x80, 0x3F, 0x00, 0x40, 0x00, 0x00]
    bytes.withUnsafeBytes { raw in
      let slice = UnsafeRawBufferPointer(rebasing: raw[1..<5])
      #expect(Matrix<Float>(rows: 1, columns: 2, stored: slice, dtype: .bf16).elements == [1, 2])
      #expect(Matrix<Float>(rows: 2, columns: 1, stored: slice, dtype: .f16).elements == [1.875, 2])
      let single = UnsafeRawBufferPointer(rebasing: raw[3..<7])
      #expect(
        Matrix<Float>(rows: 1, columns: 1, stored: single, dtype: .f32).elements == [Float(bitPattern: 0x4000)])
    }
  }

  @Test(arguments: [DType.bf16, .f16, .f32]) func nothingIsNothing(dtype: DType) {
    #expect(
      Matrix<Float>(rows: 0, columns: 4, stored: UnsafeRawBufferPointer(start: nil, count: 0), dtype: dtype).count == 0)
    #expect(narrow(UnsafeBufferPointer(start: nil, count: 0), to: dtype).isEmpty)
  }
}
