import CKernels
import Foundation
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

@Suite struct UndoCodingTests {
  /// Edits, encodes, decodes; returns the stream.
  @discardableResult
  static func roundTrip(_ base: StoredElements, _ delta: [Double]) -> [UInt8] {
    let format = StoredFormat(base.dtype)!
    var base = base
    var current = [UInt8](repeating: 0, count: base.patterns.count * format.width)
    // An element that would overflow is an error of apply: such elements become zero.
    while true {
      let done = errata_round_sums(format.type, base.bytes, delta, &current, delta.count)
      if done == delta.count { break }
      base.patterns[done] = 0
      if StoredElements.round(delta[done], to: base.dtype) & UInt32(format.infinity) == UInt32(format.infinity) {
        Issue.record("the change overflows on its own")
        return []
      }
    }
    let coding = UndoCoding(format: format)
    let stream = coding.encode(base: base.bytes, current: current, delta: delta, count: delta.count)
    var decoded = [UInt8](repeating: 0xAA, count: current.count)
    let succeeded = stream.withUnsafeBytes {
      coding.decode($0, current: current, delta: delta, count: delta.count, into: &decoded)
    }
    #expect(succeeded)
    #expect(decoded == base.bytes)
    return stream
  }

  @Test(arguments: [DType.bf16, .f16, .f32])
  func revertsAnyFiniteBase(dtype: DType) {
    var random = SeededGenerator(seed: 5)
    let format = StoredFormat(dtype)!
    let count = 20_000
    // From far below the smallest subnormal to just below the largest value.
    let largest = StoredElements(dtype, patterns: [UInt32(format.infinity - 1)]).value(0)
    for exponent in stride(from: -170, through: 0, by: 17) {
      let scale = largest * Double(sign: .plus, exponent: 2 * exponent, significand: 0.9)
      let base = StoredElements.randomPatterns(dtype, count: count, using: &random)
      // Towards the opposite sign every other time, so that few sums overflow.
      let delta = (0..<count).map { index in
        Double.random(in: 0...scale, using: &random) * (base.value(index) < 0 ? 1 : -1) + 0
      }
      Self.roundTrip(base, delta)
    }
  }

  /// Every bf16 value, under changes that leave one candidate, a few, or thousands around zero.
  @Test(arguments: [0, 1e-45, 3e-41, 1.5e-38, 1e-20, 1e-3, 0.75, 1, 1.0 / 3, 1e10, 1e38])
  func revertsEveryBfloat16(change: Double) {
    let patterns = (0..<65536).map { UInt32($0) }.filter { $0 & 0x7FFF < 0x7F00 }
    let base = StoredElements(.bf16, patterns: patterns)
    Self.roundTrip(base, Array(repeating: change, count: patterns.count))
    Self.roundTrip(base, Array(repeating: 0 - change, count: patterns.count))
  }

  /// The intervals, against a look at every value.
  @Test(arguments: [DType.bf16, .f16])
  func intervalsHoldExactlyTheCandidates(dtype: DType) {
    var random = SeededGenerator(seed: 6)
    let format = StoredFormat(dtype)!
    for _ in 0..<60 {
      let start = StoredElements.randomPatterns(dtype, count: 1, using: &random)
      let other = StoredElements.randomPatterns(dtype, count: 1, using: &random).value(0)
      // Adding zero makes -0 the +0 that every sum of terms starts from.
      let near = start.value(0) * Double.random(in: -2...2, using: &random)
      let change = (Bool.random(using: &random) ? other : near) + 0
      let target = StoredElements.round(start.value(0) + change, to: dtype)
      if target & UInt32(format.infinity) == UInt32(format.infinity) { continue }
      var (low, high): (Int32, Int32) = (0, 0)
      let bytes = StoredElements(dtype, patterns: [target]).bytes
      var open: UInt32 = 1
      let openCount = errata_candidate_intervals(format.type, nil, bytes, [change], &low, &high, &open, 1)
      #expect(openCount == (low == high ? 0 : 1) && (openCount == 0 || open == 0))
      // The same if the base is known.
      var (knownLow, knownHigh): (Int32, Int32) = (0, 0)
      let knownCount = errata_candidate_intervals(
        format.type, start.bytes, bytes, [change], &knownLow, &knownHigh, &open, 1)
      #expect(knownCount == openCount && knownLow == low && knownHigh == high)
      let limit = Int32(format.infinity)
      let found = (-limit..<limit).filter { ordered in
        let magnitude = UInt32(ordered < 0 ? -1 - ordered : ordered)
        let pattern = magnitude | (ordered < 0 ? 0x8000 : 0)
        return StoredElements.round(StoredElements(dtype, patterns: [pattern]).value(0) + change, to: dtype) == target
      }
      #expect(found.first == low && found.last == high && found.count == Int(high - low) + 1)
    }
  }

  /// The intervals of weights and changes of all usual sizes, ties among them: both ends are candidates, and the values
  /// beyond them are not.
  @Test(arguments: [DType.bf16, .f16, .f32], [true, false])
  func intervalsEndWhereTheCandidatesDo(dtype: DType, isBaseKnown: Bool) {
    var random = SeededGenerator(seed: 11)
    let format = StoredFormat(dtype)!
    let count = 3000
    for exponent in -9...5 {
      let base = StoredElements.gaussian(dtype, count: count, scale: 0.02, using: &random)
      let delta = (0..<count).map { index in
        let change = random.gaussian() * 0.02 * Double(sign: .plus, exponent: exponent, significand: 1)
        // Of few bits, so that sums fall onto the boundaries.
        return (index % 3 == 0 ? (change * 0x1p14).rounded() * 0x1p-14 : change) + 0
      }
      var current = base.bytes
      #expect(errata_round_sums(format.type, base.bytes, delta, &current, count) == count)
      var (low, high) = (Array(repeating: Int32(0), count: count), Array(repeating: Int32(0), count: count))
      var open = Array(repeating: UInt32(0), count: count)
      let openCount = base.bytes.withUnsafeBufferPointer {
        errata_candidate_intervals(
          format.type, isBaseKnown ? $0.baseAddress : nil, current, delta, &low, &high, &open, count)
      }
      #expect(open.prefix(openCount).elementsEqual((0..<count).filter { low[$0] != high[$0] }.map(UInt32.init)))
      let wrong = (0..<count).filter { index in
        func reaches(_ ordered: Int32) -> Bool {
          let sign: UInt32 = format.width == 4 ? 0x8000_0000 : 0x8000
          let pattern = ordered < 0 ? UInt32(-1 - ordered) | sign : UInt32(ordered)
          let sum = StoredElements(dtype, patterns: [pattern]).value(0) + delta[index]
          let rounded = StoredElements.round(sum, to: dtype)
          let found = rounded & sign == 0 ? Int32(rounded) : -1 - Int32(rounded & ~sign)
          return found == current.withUnsafeBytes { format.ordered($0.baseAddress!, index) }
        }
        return !(reaches(low[index]) && reaches(high[index]) && !reaches(low[index] - 1) && !reaches(high[index] + 1))
      }
      #expect(wrong.isEmpty, "\(wrong.prefix(5)) at exponent \(exponent)")
    }
  }

  @Test func reciprocalsDivide() {
    var random = SeededGenerator(seed: 12)
    for divisor in UInt64(2)..<200 {
      let reciprocal = Reciprocal(of: divisor)
      let multiples = (0..<200).map { _ in UInt64.random(in: 1...(1 << 63 - 1) / divisor, using: &random) * divisor }
      let dividends: [UInt64] = multiples + multiples.map { $0 - 1 } + [0, 1, divisor - 1, divisor, 1 << 63 - 1]
      for dividend in dividends {
        #expect(reciprocal.quotient(dividend) == dividend / divisor)
      }
    }
  }

  /// The short way to code what most sets are gives the bytes of the general one.
  @Test(arguments: [7, 10, 23])
  func evenCandidatesAreCodedAsAnyOther(fractionBits: Int) {
    var random = SeededGenerator(seed: 10)
    var sets: [(low: Int32, high: Int32, base: Int32)] = []
    while sets.count < 20_000 {
      let first =
        Int32.random(in: 1..<200 << Int32(fractionBits), using: &random) >> Int32.random(in: 0...15, using: &random)
      let last = first + (Int32.random(in: 1...1 << 20, using: &random) >> Int32.random(in: 0...20, using: &random))
      let isNegative = Bool.random(using: &random)
      let (low, high) = isNegative ? (~last, ~first) : (first, last)
      guard low < high, EvenCandidates(low: low, high: high, fractionBits: fractionBits) != nil else { continue }
      sets.append((low, high, Int32.random(in: low...high, using: &random)))
    }
    var general = RangeEncoder()
    var even = RangeEncoder()
    var models = ZeroModels()
    for set in sets {
      CandidateSet(low: set.low, high: set.high, fractionBits: fractionBits).encode(set.base, into: &general, &models)
    }
    let choices = sets.map {
      EvenCandidates(low: $0.low, high: $0.high, fractionBits: fractionBits)!.choice(of: $0.base)
    }
    choices.withUnsafeBufferPointer { even.encode($0) }
    let (stream, expected) = (even.finish(), general.finish())
    #expect(stream == expected)
    stream.withUnsafeBytes { bytes in
      var decoder = RangeDecoder(bytes)
      #expect(
        sets.allSatisfy {
          EvenCandidates(low: $0.low, high: $0.high, fractionBits: fractionBits)!.decode(from: &decoder) == $0.base
        })
    }
  }

  /// A matrix half of whose values are zero costs about a bit for each of the doubtful ones, not their full width.
  @Test func zerosAreLearned() {
    var random = SeededGenerator(seed: 7)
    let count = 100_000
    var base = StoredElements.gaussian(.f32, count: count, scale: 0.02, using: &random)
    for index in 0..<count where index % 2 == 0 { base.patterns[index] = 0 }
    let delta = (0..<count).map { _ in random.gaussian() * 0.005 }
    let stream = Self.roundTrip(base, delta)
    #expect(stream.count < count / 8)
  }

  /// DESIGN's figures for uniformly coded indices, on weights of the same distribution.
  @Test(arguments: [(0.07, 0.0095), (0.32, 0.029), (1.28, 0.074)])
  func staysSmall(ratio: Double, share: Double) {
    var random = SeededGenerator(seed: 8)
    let count = 1 << 17
    let base = StoredElements.gaussian(.bf16, count: count, scale: 0.02, using: &random)
    let delta = (0..<count).map { _ in random.gaussian() * 0.02 * ratio }
    let stream = Self.roundTrip(base, delta)
    #expect(Double(stream.count) < share * Double(2 * count))
    // No larger than a uniform code of the same indices, whatever the edit.
    #expect(stream.count <= Self.uniformBits(base, delta) / 8)
  }

  /// What the candidates' indices take if all of an element's are equally likely.
  private static func uniformBits(_ base: StoredElements, _ delta: [Double]) -> Int {
    let format = StoredFormat(base.dtype)!
    let count = delta.count
    var current = base.bytes
    errata_round_sums(format.type, base.bytes, delta, &current, count)
    var (low, high) = (Array(repeating: Int32(0), count: count), Array(repeating: Int32(0), count: count))
    var open = Array(repeating: UInt32(0), count: count)
    errata_candidate_intervals(format.type, nil, current, delta, &low, &high, &open, count)
    return Int(zip(low, high).reduce(0) { $0 + log2(Double($1.1 - $1.0) + 1) })
  }

  /// Whatever the bytes, decoding ends, and says nothing but candidates.
  @Test func damagedStreamsAreHarmless() {
    var random = SeededGenerator(seed: 9)
    let format = StoredFormat(.bf16)!
    let coding = UndoCoding(format: format)
    let count = 5000
    let base = StoredElements.gaussian(.bf16, count: count, scale: 0.02, using: &random)
    let delta = (0..<count).map { _ in random.gaussian() * 0.02 }
    var current = [UInt8](repeating: 0, count: 2 * count)
    errata_round_sums(format.type, base.bytes, delta, &current, count)
    let stream = coding.encode(base: base.bytes, current: current, delta: delta, count: count)
    for trial in 0..<300 {
      var damaged = stream
      switch trial % 3 {
      case 0: damaged[Int.random(in: 0..<stream.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
      case 1: damaged.removeLast(Int.random(in: 1...stream.count, using: &random))
      default: damaged = (0..<stream.count).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
      var decoded = [UInt8](repeating: 0, count: 2 * count)
      let succeeded = damaged.withUnsafeBytes {
        coding.decode($0, current: current, delta: delta, count: count, into: &decoded)
      }
      #expect(!succeeded || decoded != base.bytes)
    }
  }
}
