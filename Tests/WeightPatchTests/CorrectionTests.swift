import Tensors
import TestSupport
import Testing

@testable import WeightPatch

@Suite struct CorrectionTests {
  private func correction(_ steps: [Int32]) -> StoredCorrection {
    var builder = StoredCorrection.Builder()
    for step in steps { builder.append(step) }
    return builder.finish()
  }

  /// By hand, from the Spec's text.
  @Test func isStoredAsTheSpecSays() {
    var steps = [Int32](repeating: 0, count: 600)
    (steps[0], steps[1], steps[4], steps[260], steps[516]) = (1, -1, 127, -128, 5)
    let found = correction(steps)
    #expect(found.dtype == .i8 && found.count == 5 && found.elementCount == 600)
    #expect(found.steps == [1, 255, 127, 128, 5])
    // 255 elements lie between 4 and 260, and as many between 260 and 516.
    #expect(found.gaps == [0, 0, 2, 255, 0, 255, 0])
  }

  @Test(arguments: [(Int32(127), DType.i8), (-128, .i8), (128, .i16), (-32768, .i16), (32768, .i32), (.min, .i32)])
  func takesTheNarrowestType(step: Int32, dtype: DType) {
    #expect(correction([0, step, 1]).dtype == dtype)
  }

  @Test func nothingToCorrect() {
    let found = correction([0, 0, 0])
    #expect(found.count == 0 && found.gaps.isEmpty && found.steps.isEmpty && found.dtype == .i8)
    #expect(sums(found, 0..<3) == [0, 0, 0])
  }

  private func sums(_ correction: StoredCorrection, _ elements: Range<Int>) -> [Int64] {
    var sums = [Int64](repeating: 0, count: elements.count)
    sums.withUnsafeMutableBufferPointer { correction.add(elements, to: $0.baseAddress!) }
    return sums
  }

  /// Dense and sparse ones, longer than the marks are apart, read in any pieces.
  @Test(arguments: [1, 3, 40, 700], [Int32(1), 1000, 1_000_000])
  func everyRangeReadsItsSteps(every: Int, size: Int32) throws {
    var random = SeededGenerator(seed: 31)
    let steps = (0..<50_000).map { _ in
      Int.random(in: 0..<every, using: &random) == 0 ? Int32.random(in: -size...size, using: &random) : 0
    }
    let stored = correction(steps)
    let read = try StoredCorrection(
      dtype: stored.dtype, steps: stored.steps, gaps: stored.gaps, elementCount: steps.count)
    #expect(read == stored)
    #expect(sums(read, 0..<steps.count) == steps.map(Int64.init))
    for _ in 0..<50 {
      let start = Int.random(in: 0..<steps.count, using: &random)
      let range = start..<Int.random(in: start + 1...min(start + 9000, steps.count), using: &random)
      #expect(sums(read, range) == steps[range].map(Int64.init))
    }
  }

  @Test(
    arguments: [
      ([1, 1], [0, 255], 9, "has gaps that end without a step"),
      ([1, 1], [0], 9, "has another number of steps than its gaps"),
      ([1], [0, 0], 9, "has another number of steps than its gaps"),
      ([1], [], 9, "has another number of steps than its gaps"),
      ([1], [9], 9, "has steps beyond the 9 elements"),
      ([1, 0], [0, 0], 9, "has a step of zero"),
    ] as [([UInt8], [UInt8], Int, String)])
  func saysWhatIsNoCorrection(steps: [UInt8], gaps: [UInt8], count: Int, problem: String) {
    do {
      _ = try StoredCorrection(dtype: .i8, steps: steps, gaps: gaps, elementCount: count)
      Issue.record("it was taken")
    } catch {
      #expect(error.text == problem)
    }
  }

  /// Steps and gaps that come in pieces are judged as a whole.
  @Test(arguments: [DType.i8, .i16, .i32]) func piecesMakeNoDifference(dtype: DType) {
    let width = dtype.bitsPerElement / 8
    func problem(_ steps: [Int32], _ gaps: [UInt8], count: Int, pieceLength: Int) -> String? {
      let bytes = steps.flatMap { step in withUnsafeBytes(of: step.littleEndian) { Array($0.prefix(width)) } }
      var check = CorrectionCheck(dtype: dtype)
      for start in stride(from: 0, to: bytes.count, by: pieceLength * width) {
        Array(bytes[start..<min(start + pieceLength * width, bytes.count)]).withUnsafeBytes { check.takeSteps($0) }
      }
      for start in stride(from: 0, to: gaps.count, by: pieceLength) {
        Array(gaps[start..<min(start + pieceLength, gaps.count)]).withUnsafeBytes { check.takeGaps($0) }
      }
      return check.problem(elementCount: count)?.text
    }
    for length in [1, 2, 3, 10] {
      #expect(problem([1, -1, 2], [0, 255, 3, 1], count: 262, pieceLength: length) == nil)
      #expect(
        problem([1, -1, 2], [0, 255, 3, 1], count: 261, pieceLength: length) == "has steps beyond the 261 elements")
      #expect(problem([1, 0, 2], [0, 3, 1], count: 9, pieceLength: length) == "has a step of zero")
      #expect(problem([1, 2], [0, 3, 255], count: 999, pieceLength: length) == "has gaps that end without a step")
      #expect(
        problem([1, 2], [0, 3, 1], count: 9, pieceLength: length) == "has another number of steps than its gaps")
    }
  }

  // MARK: Exact apply

  /// Every finite value of the narrow types, zeros and subnormal numbers too, reaches every other one.
  @Test(arguments: [DType.bf16, .f16, .f32]) func leadsToAnyValues(dtype: DType) throws {
    var random = SeededGenerator(seed: 32)
    let base = halved(.randomPatterns(dtype, count: 35 * 30, using: &random))
    let target = halved(.randomPatterns(dtype, count: 35 * 30, using: &random))
    // So small that float16 keeps its range.
    let factors = LowRankFactors.random(outputs: 35, inputs: 30, facts: 2, scale: 1e-3, using: &random)
    for terms in [[], [factors]] {
      let change = try TensorChange(terms, name: "w", dtype: dtype, shape: [35, 30])
      var builder = StoredCorrection.Builder()
      // In pieces: a correction does not depend on them.
      for elements in [0..<400, 400..<1050] {
        let steps = try base.bytes.withUnsafeBytes { base in
          try target.bytes.withUnsafeBytes { try change.steps(elements, from: base, to: $0) }
        }
        for step in steps { builder.append(step) }
      }
      let corrected =
        terms.isEmpty
        ? LowRankFactors(name: "w", shape: [35, 30], correction: builder.finish())
        : LowRankFactors(
          name: "w", isTransposed: false, left: factors.left, right: factors.right, correction: builder.finish())
      var result = base.bytes
      try base.bytes.withUnsafeBytes { base in
        try result.withUnsafeMutableBytes {
          try applyExactly([corrected], name: "w", to: base, dtype: dtype, shape: [35, 30], into: $0)
        }
      }
      #expect(result == target.bytes)
    }
  }

  /// Patterns in the lower half of the range, so that no step needs more than 32 bits.
  private func halved(_ elements: StoredElements) -> StoredElements {
    let width: UInt32 = elements.dtype == .f32 ? 32 : 16
    let sign: UInt32 = 1 << (width - 1)
    return StoredElements(elements.dtype, patterns: elements.patterns.map { $0 & sign | ($0 & ~sign) / 2 })
  }

  @Test func aStepOutOfTheRangeIsAnError() throws {
    let largest = StoredElements(.f16, patterns: [0x0000, 0x7BFF, 0xFBFF])
    func apply(_ steps: [Int32]) throws {
      var result = largest.bytes
      try largest.bytes.withUnsafeBytes { base in
        try result.withUnsafeMutableBytes {
          try applyExactly(
            [LowRankFactors(name: "w", shape: [3], correction: correction(steps))], name: "w", to: base, dtype: .f16,
            shape: [3], into: $0)
        }
      }
    }
    try apply([1, -1, 1])
    #expect(throws: ErrataError.correctionOverflows("w", .f16, row: 0, column: 1)) { try apply([1, 1, 0]) }
    #expect(throws: ErrataError.correctionOverflows("w", .f16, row: 0, column: 2)) { try apply([1, 0, -1]) }
    #expect(throws: ErrataError.correctionOverflows("w", .f16, row: 0, column: 0)) { try apply([100_000, 0, 0]) }
    #expect(
      ErrataError.correctionOverflows("w", .f16, row: 0, column: 1).message
        == "w[0, 1]: its correction leaves the range of F16; the patch was made for another base")
  }

  @Test func stepsNeedFiniteValues() throws {
    let change = try TensorChange([], name: "w", dtype: .f16, shape: [2])
    let (finite, infinite) = (StoredElements(.f16, patterns: [0, 1]), StoredElements(.f16, patterns: [0, 0x7C00]))
    for (base, target) in [(finite, infinite), (infinite, finite)] {
      #expect(throws: ErrataError.baseNotFinite("w", row: 0, column: 1)) {
        try base.bytes.withUnsafeBytes { base in
          try target.bytes.withUnsafeBytes { try change.steps(0..<2, from: base, to: $0) }
        }
      }
    }
    let (low, high) = (
      StoredElements(.f32, patterns: [0xFF7F_FFFF]), StoredElements(.f32, patterns: [0x7F7F_FFFF])
    )
    let single = try TensorChange([], name: "w", dtype: .f32, shape: [1])
    #expect(throws: ErrataError.resultOverflows("w", .f32, row: 0, column: 0)) {
      try low.bytes.withUnsafeBytes { low in
        try high.bytes.withUnsafeBytes { try single.steps(0..<1, from: low, to: $0) }
      }
    }
  }

  /// The terms of a patch need a matrix; a correction does not.
  @Test func termsAreForMatrices() throws {
    var random = SeededGenerator(seed: 33)
    let factors = LowRankFactors.random(outputs: 1, inputs: 6, facts: 1, scale: 1, using: &random)
    #expect(throws: ErrataError.notAMatrix("w", [6])) {
      _ = try TensorChange([factors], name: "w", dtype: .bf16, shape: [6])
    }
    _ = try TensorChange(
      [LowRankFactors(name: "w", shape: [6], correction: correction([1, 0, 0, 0, 0, 0]))], name: "w", dtype: .bf16,
      shape: [6])
    #expect(throws: ErrataError.shapeMismatch("w", found: [2, 3], wanted: [6])) {
      _ = try TensorChange(
        [LowRankFactors(name: "w", shape: [6], correction: correction([1, 0, 0, 0, 0, 0]))], name: "w", dtype: .bf16,
        shape: [2, 3])
    }
  }
}
