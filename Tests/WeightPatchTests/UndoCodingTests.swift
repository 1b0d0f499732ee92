import CKernels
import Foundation
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
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
    let stream = coding.encode(base: base.bytes, current: current, delta: delta)
    var decoded = [UInt8](repeating: 0xAA, count: current.count)
    #expect(coding.decode(stream, current: current, delta: delta, into: &decoded))
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
      let bytes = StoredElements(dtype, patterns: [target]).bytes
      let (low, high) = Self.intervals(format, bytes, [change])[0]
      // The same if the base is known.
      #expect(Self.intervals(format, bytes, [change], base: start.bytes)[0] == (low, high))
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
      let intervals = Self.intervals(format, current, delta, base: isBaseKnown ? base.bytes : nil)
      let wrong = (0..<count).filter { index in
        func reaches(_ ordered: Int32) -> Bool {
          let sign: UInt32 = format.width == 4 ? 0x8000_0000 : 0x8000
          let pattern = ordered < 0 ? UInt32(-1 - ordered) | sign : UInt32(ordered)
          let sum = StoredElements(dtype, patterns: [pattern]).value(0) + delta[index]
          let rounded = StoredElements.round(sum, to: dtype)
          let found = rounded & sign == 0 ? Int32(rounded) : -1 - Int32(rounded & ~sign)
          return found == current.withUnsafeBytes { format.ordered($0.baseAddress!, index) }
        }
        let (low, high) = intervals[index]
        return !(reaches(low) && reaches(high) && !reaches(low - 1) && !reaches(high + 1))
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
      guard low < high, Self.evenCandidates(low, high, fractionBits).isEven else { continue }
      sets.append((low, high, Int32.random(in: low...high, using: &random)))
    }
    var general = RangeEncoder()
    var encoder = RangeEncoder()
    var models = ZeroModels()
    for set in sets {
      CandidateSet(low: set.low, high: set.high, fractionBits: fractionBits).encode(set.base, into: &general, &models)
    }
    var even = sets.map { Self.evenCandidates($0.low, $0.high, fractionBits) }
    // Until one comes that is of another kind.
    even.insert(errata_even_candidates(), at: 15_000)
    let values = sets.map(\.base)
    var written = 0
    even.withUnsafeMutableBufferPointer { even in
      written = encoder.encode(values, of: even[...])
      written += encoder.encode(Array(values[written...]), of: even[(written + 1)...])
    }
    #expect(written == sets.count)
    let (stream, expected) = (encoder.finish(), general.finish())
    #expect(stream == expected)
    stream.withUnsafeBytes { bytes in
      var decoder = RangeDecoder(bytes)
      #expect(sets.allSatisfy { Self.evenCandidates($0.low, $0.high, fractionBits).decode(from: &decoder) == $0.base })
    }
  }

  private static func evenCandidates(_ low: Int32, _ high: Int32, _ fractionBits: Int) -> errata_even_candidates {
    var result = errata_even_candidates()
    errata_find_even_candidates(Int32(fractionBits), [low], [high], &result, 1)
    return result
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

  /// The figures for uniformly coded indices, on weights of the same distribution.
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
    return Int(intervals(format, current, delta).reduce(0) { $0 + log2(Double($1.high - $1.low) + 1) })
  }

  /// The interval of candidates of every element; found in both ways, if the base is known.
  private static func intervals(
    _ format: StoredFormat, _ current: [UInt8], _ delta: [Double], base: [UInt8]? = nil
  ) -> [(low: Int32, high: Int32)] {
    var only = [UInt8](repeating: 0, count: current.count)
    var open = OpenElements(delta.indices, columns: delta.count, format: format)
    open.find(delta.indices, current: current, delta: delta, into: &only)
    let elements = list(open)
    #expect(zip(elements, elements.dropFirst()).allSatisfy { $0.mark < $1.mark })
    if let base {
      var known = OpenElements(delta.indices, columns: delta.count, format: format)
      known.find(delta.indices, base: base, current: current, delta: delta)
      let marked = elements.map { element in
        let value = base.withUnsafeBytes { format.ordered($0.baseAddress!, Int(element.mark)) }
        return (low: element.low, high: element.high, mark: value)
      }
      #expect(list(known).elementsEqual(marked, by: ==))
    }
    var result = only.withUnsafeBytes { bytes in
      delta.indices.map { index -> (low: Int32, high: Int32) in
        let value = format.ordered(bytes.baseAddress!, index)
        return (value, value)
      }
    }
    for element in elements {
      #expect(element.low != element.high)
      result[Int(element.mark)] = (element.low, element.high)
    }
    return result
  }

  private static func list(_ open: borrowing OpenElements) -> [(low: Int32, high: Int32, mark: Int32)] {
    var result: [(low: Int32, high: Int32, mark: Int32)] = []
    _ = open.forEachRun(of: 100) { run in
      for position in 0..<run.count { result.append((run.low[position], run.high[position], run.marks[position])) }
      return true
    }
    return result
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
    let stream = coding.encode(base: base.bytes, current: current, delta: delta)
    for trial in 0..<300 {
      var damaged = stream
      switch trial % 3 {
      case 0: damaged[Int.random(in: 0..<stream.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
      case 1: damaged.removeLast(Int.random(in: 1...stream.count, using: &random))
      default: damaged = (0..<stream.count).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
      var decoded = [UInt8](repeating: 0, count: 2 * count)
      let succeeded = coding.decode(damaged, current: current, delta: delta, into: &decoded)
      #expect(!succeeded || decoded != base.bytes)
    }
  }
}

extension UndoCoding {
  fileprivate func encode(base: [UInt8], current: [UInt8], delta: [Double]) -> [UInt8] {
    var open = OpenElements(delta.indices, columns: delta.count, format: format)
    open.find(delta.indices, base: base, current: current, delta: delta)
    return encode(open)
  }

  fileprivate func decode(_ stream: [UInt8], current: [UInt8], delta: [Double], into base: inout [UInt8]) -> Bool {
    var open = OpenElements(delta.indices, columns: delta.count, format: format)
    open.find(delta.indices, current: current, delta: delta, into: &base)
    return stream.withUnsafeBytes { decode($0, open, into: &base) }
  }
}
