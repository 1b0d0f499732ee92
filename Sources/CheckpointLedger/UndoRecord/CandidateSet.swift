import CKernels
import WeightPatch

/// The base values that one edited value may come from, and how likely each is: as likely as its distance to its
/// neighbour is long, in integers (Spec: undo record).
///
/// The candidates are neighbours, and their distances differ only where the set reaches over a power of two; but near
/// zero floating-point values are so dense that, counted one by one, the tiny ones would have nearly all the weight.
/// The two zeros stand apart: they are common in pruned and padded matrices, so whether a value is zero is learned.
struct CandidateSet {
  /// Magnitudes from the set's positive part and from its negative part, zeros left out; empty if first > last.
  private let positive: MagnitudeRun
  private let negative: MagnitudeRun
  private let hasZeros: Bool
  private let measure: MagnitudeMeasure

  /// The set [low, high] of values in order (see `StoredFormat.ordered`).
  @inline(__always)
  init(low: Int32, high: Int32, fractionBits: Int) {
    let (low, high) = (Int(low), Int(high))
    let first = MagnitudeRun(first: max(low, 1), last: high)
    let second = MagnitudeRun(first: max(-1 - high, 1), last: -1 - low)
    measure = MagnitudeMeasure(largest: max(first.last, second.last), fractionBits: fractionBits)
    positive = first
    negative = second
    hasZeros = low <= 0 && high >= -1
  }

  /// Writes which of the candidates `base` is.
  ///
  /// - Precondition: it is one of them.
  func encode(_ base: Int32, into encoder: inout RangeEncoder, _ models: inout ZeroModels) {
    let value = Int(base)
    let isZero = value == 0 || value == -1
    if hasZeros {
      if positive.count + negative.count > 0 { encoder.encode(isZero, &models.isZero) }
      if isZero { return encoder.encode(value < 0, &models.isNegative) }
    }
    guard positive.count + negative.count > 1 else { return }
    let positiveTotal = measure.total(of: positive)
    let magnitude = value < 0 ? -1 - value : value
    let run = value < 0 ? negative : positive
    let start = measure.place(of: magnitude) - measure.place(of: run.first) + (value < 0 ? positiveTotal : 0)
    encoder.encode(
      start: start, size: measure.place(of: magnitude + 1) - measure.place(of: magnitude),
      total: positiveTotal + measure.total(of: negative))
  }

  /// Reads which of the candidates the base is; nil if the bytes are not an encoder's.
  @inline(__always)
  func decode(from decoder: inout RangeDecoder, _ models: inout ZeroModels) -> Int32? {
    let others = positive.count + negative.count
    if hasZeros {
      guard let isZero = others == 0 ? true : decoder.decode(&models.isZero) else { return nil }
      if isZero { return decoder.decode(&models.isNegative).map { $0 ? -1 : 0 } }
    }
    if others == 1 { return Int32(positive.count == 1 ? positive.first : -1 - negative.first) }
    let positiveTotal = measure.total(of: positive)
    guard let position = decoder.position(total: positiveTotal + measure.total(of: negative)) else { return nil }
    let isNegative = position >= positiveTotal
    let run = isNegative ? negative : positive
    let runStart = isNegative ? positiveTotal : 0
    let magnitude = measure.magnitude(at: position - runStart + measure.place(of: run.first))
    decoder.advance(
      start: runStart + measure.place(of: magnitude) - measure.place(of: run.first),
      size: measure.place(of: magnitude + 1) - measure.place(of: magnitude))
    return Int32(isNegative ? -1 - magnitude : magnitude)
  }
}

/// What a chunk has learned about zeros.
struct ZeroModels {
  var isZero = AdaptiveBit()
  var isNegative = AdaptiveBit()
}

/// Candidates of one sign in one binade, as nearly all sets are: they lie equally far apart, so all are equally likely.
/// The choices that it codes are those that `CandidateSet` would, for less work.
///
/// Signs are as good as random, so nothing here branches on them.
extension errata_even_candidates {
  /// Whether the set is of this kind.
  @inline(__always) var isEven: Bool { count > 0 }

  /// Which of the candidates `value` is; not less than `count` if it is none.
  @inline(__always)
  func index(of value: Int32) -> UInt32 { UInt32(bitPattern: (value ^ sign) &- first) }

  @inline(__always)
  func decode(from decoder: inout RangeDecoder) -> Int32? {
    guard let index = decoder.decode(count: UInt64(count), sizeBits: UInt64(size_bits)) else { return nil }
    return (first &+ Int32(truncatingIfNeeded: index)) ^ sign
  }
}

private struct MagnitudeRun {
  let first: Int
  let last: Int
  @inline(__always) var count: Int { max(last - first + 1, 0) }
}

/// Where a magnitude lies on a line on which the distance to the next magnitude is its spacing, in units of the spacing
/// 28 - `fractionBits` binades below the largest magnitude; nearer to zero the magnitudes lie one unit apart.
private struct MagnitudeMeasure {
  private let fractionBits: Int
  /// The exponent field up to which the distance is one unit.
  private let unitField: Int

  @inline(__always)
  init(largest: Int, fractionBits: Int) {
    self.fractionBits = fractionBits
    unitField = max(largest >> fractionBits - (28 - fractionBits), 1)
  }

  /// Increasing in the magnitude pattern; equal to it up to the end of the binade `unitField`.
  @inline(__always)
  func place(of magnitude: Int) -> UInt64 {
    let steps = magnitude >> fractionBits - unitField
    guard steps > 0 else { return UInt64(magnitude) }
    let significand = magnitude & (1 << fractionBits - 1) | 1 << fractionBits
    return UInt64(significand << steps + (unitField - 1) << fractionBits)
  }

  /// The magnitude whose place or the distance after it holds `position`.
  @inline(__always)
  func magnitude(at position: UInt64) -> Int {
    let scaled = Int(position) - (unitField - 1) << fractionBits
    guard scaled >= 2 << fractionBits else { return Int(position) }
    let steps = Int.bitWidth - 1 - scaled.leadingZeroBitCount - fractionBits
    return (unitField + steps - 1) << fractionBits + scaled >> steps
  }

  @inline(__always)
  func total(of run: MagnitudeRun) -> UInt64 {
    run.count == 0 ? 0 : place(of: run.last + 1) - place(of: run.first)
  }
}
