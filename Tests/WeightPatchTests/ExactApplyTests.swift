import CKernels
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

@Suite struct ExactApplyTests {
  static func apply(
    _ factors: [LowRankFactors], to base: StoredElements, shape: Shape, offset: Int = 0
  ) throws -> StoredElements {
    // An odd offset: a safetensors file promises no alignment.
    let source = [UInt8](repeating: 0, count: offset) + base.bytes
    var result = [UInt8](repeating: 0, count: base.bytes.count)
    try source.withUnsafeBytes { source in
      try result.withUnsafeMutableBytes { result in
        try applyExactly(
          factors, name: "w", to: UnsafeRawBufferPointer(rebasing: source[offset...]), dtype: base.dtype, shape: shape,
          into: result)
      }
    }
    return StoredElements(base.dtype, bytes: result)
  }

  @Test(arguments: [DType.bf16, .f16, .f32], [false, true])
  func equalsThePlainDefinition(dtype: DType, isTransposed: Bool) throws {
    var random = SeededGenerator(seed: 1)
    for (outputs, inputs, facts) in [(1, 1, 1), (5, 7, 3), (37, 301, 65), (130, 1100, 2), (4, 12, 200)] {
      let base = StoredElements.gaussian(dtype, count: outputs * inputs, scale: 0.02, using: &random)
      let factors = [DType.f32, .f16, .i8].map {
        LowRankFactors.random(
          outputs: outputs, inputs: inputs, facts: facts, scale: 0.01, isTransposed: isTransposed, type: $0,
          using: &random)
      }
      let (rows, columns) = isTransposed ? (inputs, outputs) : (outputs, inputs)
      let result = try Self.apply(factors, to: base, shape: [rows, columns], offset: 3)
      #expect(result == appliedPlainly(factors, to: base, rows: rows, columns: columns))
    }
  }

  /// The kernel's rounding against the scalar conversions, on sums that land on ties, subnormals and binade ends.
  @Test(arguments: [DType.bf16, .f16, .f32])
  func roundsOnceToNearestEven(dtype: DType) throws {
    var random = SeededGenerator(seed: 2)
    let format = StoredFormat(dtype)!
    let count = 200_000
    let base = StoredElements.randomPatterns(dtype, count: count, using: &random)
    let delta: [Double] = (0..<count).map { index in
      let other = StoredElements.randomPatterns(dtype, count: 1, using: &random).value(0)
      switch index % 4 {
      case 0: return other
      case 1: return base.value(index) * Double.random(in: -2...2, using: &random)
      case 2:  // half a quantum of a neighbour: a tie
        return (StoredElements(dtype, patterns: [base.patterns[index] ^ 1]).value(0) - base.value(index)) * 0.5
      default: return other * Double(sign: .plus, exponent: -60, significand: 1)
      }
    }.map { $0 == 0 ? 0 : $0 }
    let bytes = base.bytes
    var result = [UInt8](repeating: 0, count: bytes.count)
    var index = 0
    var overflows = 0
    while index < count {
      let done = errata_round_sums(
        format.type, Array(bytes[(index * format.width)...]), Array(delta[index...]), &result, count - index)
      let rounded = StoredElements(dtype, bytes: result)
      for position in 0..<done - done % 512 {
        let expected = StoredElements.round(base.value(index + position) + delta[index + position], to: dtype)
        if rounded.patterns[position] != expected {
          Issue.record("\(base.value(index + position)) + \(delta[index + position])")
        }
      }
      if index + done < count {
        let sum = StoredElements.round(base.value(index + done) + delta[index + done], to: dtype)
        #expect(sum & UInt32(format.infinity) == UInt32(format.infinity))
        overflows += 1
      }
      index += max(done, 1)
      if overflows > 20 { break }
    }
  }

  /// A run of elements anywhere gives the same change as the whole tensor.
  @Test func anyRunOfElementsGivesTheSameChange() throws {
    var random = SeededGenerator(seed: 3)
    let factors = [
      LowRankFactors.random(outputs: 23, inputs: 57, facts: 70, scale: 1, using: &random),
      LowRankFactors.random(outputs: 23, inputs: 57, facts: 1, scale: 1, using: &random),
    ]
    let change = try TensorChange(factors, name: "w", dtype: .bf16, shape: [23, 57])
    func delta(_ elements: Range<Int>) -> [Double] {
      var result = Array(repeating: Double.nan, count: elements.count)
      change.forEachRun(of: elements) { run, delta in
        #expect(run.lowerBound / 57 == (run.upperBound - 1) / 57)
        for (index, element) in run.enumerated() { result[element - elements.lowerBound] = delta[index] }
      }
      return result
    }
    let whole = delta(0..<23 * 57)
    for _ in 0..<200 {
      let ends = [0, 0].map { _ in Int.random(in: 0...23 * 57, using: &random) }.sorted()
      #expect(delta(ends[0]..<ends[1]) == Array(whole[ends[0]..<ends[1]]))
    }
  }

  @Test func chunksCoverATensorOnce() {
    for (rows, columns) in [(0, 0), (0, 5), (5, 0), (1, 1), (576, 1536), (3, 5_000_000), (100_000, 7), (49152, 576)] {
      let chunks = Chunks(rows: rows, columns: columns)
      #expect((0..<chunks.count).reduce(0) { $0 + chunks[$1].count } == rows * columns)
      #expect((0..<chunks.count).allSatisfy { !chunks[$0].isEmpty })
    }
  }

  @Test func errorsNameTheElement() throws {
    let factors = LowRankFactors(
      name: "w", isTransposed: false, left: StoredFactor(rows: 2, columns: 1) { row, _ in row == 1 ? 3e38 : 0 },
      right: StoredFactor(rows: 1, columns: 3) { _, column in column == 2 ? 1 : 0 })
    let base = StoredElements(.bf16, patterns: [0, 0, 0, 0, 0, 0x7F00])
    #expect(
      throws: ErrataError(.general, "w[1, 2]: the edited value overflows BF16; the edit is too large")
    ) { try Self.apply([factors], to: base, shape: [2, 3]) }
    let infinite = StoredElements(.bf16, patterns: [0, 0xFF80, 0, 0, 0, 0])
    #expect(
      throws: ErrataError(
        .general, "w[0, 1]: is not a finite number; a tensor with NaN or infinity cannot be edited")
    ) { try Self.apply([factors], to: infinite, shape: [2, 3]) }
    #expect(
      throws: ErrataError(
        .baseMismatch, "w: has shape [3, 2], the patch edits [2, 3]: it was made for another model")
    ) { try TensorChange([factors], name: "w", dtype: .bf16, shape: [3, 2]) }
    #expect(
      throws: ErrataError(.baseMismatch, "w: is stored as F8_E4M3; a patch can edit BF16, F16 and F32 tensors only")
    ) { try TensorChange([factors], name: "w", dtype: .f8e4m3, shape: [2, 3]) }
    #expect(throws: ErrataError(.baseMismatch, "w: has shape [6]; the terms of a patch are for matrices")) {
      try TensorChange([factors], name: "w", dtype: .bf16, shape: [6])
    }
  }
}
