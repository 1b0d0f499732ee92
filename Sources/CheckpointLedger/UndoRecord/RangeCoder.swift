import CKernels
import WeightPatch

/// A range coder: a sequence of choices, each a share of a whole, becomes one binary fraction, written to as many bytes
/// as it needs. All arithmetic is on 64-bit integers (Spec: undo record).
///
/// After G. N. N. Martin, "Range encoding: an algorithm for removing redundancy from a digitised message" (1979).
struct RangeEncoder: ~Copyable {
  private var position = Position()
  /// Room for `capacity` bytes.
  private var bytes: UnsafeMutablePointer<UInt8>
  private var capacity = 1 << 12

  init() {
    bytes = .allocate(capacity: capacity)
  }

  deinit {
    bytes.deallocate()
  }

  /// Writes the choice that occupies `start..<start + size` of `total`.
  ///
  /// - Precondition: `0 < size`, `start + size <= total <= 2^40`.
  mutating func encode(start: UInt64, size: UInt64, total: UInt64) {
    reserve(8)
    position.narrow(unit: position.range / total, start: start, size: size, bytes)
  }

  /// Writes which of its candidates each of some values is, until a set comes that is not of the even kind.
  ///
  /// - Precondition: each value is one of the candidates.
  /// - Returns: how many were written.
  mutating func encode(
    _ values: UnsafePointer<Int32>, of sets: Slice<UnsafeMutableBufferPointer<errata_even_candidates>>
  ) -> Int {
    reserve(8 * sets.count)
    // In registers, not in memory, from choice to choice.
    var position = position
    let (bytes, divider) = (bytes, RangeDivider())
    var written = 0
    for set in sets {
      guard set.isEven else { break }
      let index = set.index(of: values[written])
      precondition(index < set.count, "the edited value does not come from this base")
      let sizeBits = UInt64(set.size_bits)
      let unit = divider.quotient(position.range, count: UInt64(set.count), sizeBits: sizeBits)
      position.narrow(unit: unit, start: UInt64(index) &<< sizeBits, size: 1 &<< sizeBits, bytes)
      written += 1
    }
    self.position = position
    return written
  }

  mutating func encode(_ bit: Bool, _ model: inout AdaptiveBit) {
    let share = model.share(of: bit)
    encode(start: share.start, size: share.size, total: AdaptiveBit.total)
    model.update(bit)
  }

  /// The bytes written; a reader takes the bytes after the last one as zeros.
  consuming func finish() -> [UInt8] {
    // The fraction in [low, low + range) with the fewest bytes: the range is never less than one unit of this byte.
    reserve(1)
    var count = position.count
    let (sum, carry) = position.low.addingReportingOverflow(rangeFloor - 1)
    if carry { propagateCarry(bytes, count) }
    bytes[count] = UInt8(truncatingIfNeeded: sum >> 56)
    count += 1
    while count > 0, bytes[count - 1] == 0 { count -= 1 }
    return Array(UnsafeBufferPointer(start: bytes, count: count))
  }

  /// Makes room for so many bytes, and for a number that is stored across the last one.
  private mutating func reserve(_ additional: Int) {
    let needed = position.count + additional + 8
    guard needed > capacity else { return }
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * needed)
    larger.update(from: bytes, count: position.count)
    bytes.deallocate()
    (bytes, capacity) = (larger, 2 * needed)
  }

  private struct Position {
    var low: UInt64 = 0
    var range = UInt64.max
    /// Of the bytes that are written.
    var count = 0

    @inline(__always)
    mutating func narrow(unit: UInt64, start: UInt64, size: UInt64, _ bytes: UnsafeMutablePointer<UInt8>) {
      let (sum, carry) = low.addingReportingOverflow(unit &* start)
      if carry { propagateCarry(bytes, count) }
      range = unit &* size
      // As many bytes as the range has empty ones, without a branch on how many.
      let bits = emptyBits(range)
      UnsafeMutableRawPointer(bytes + count).storeBytes(of: sum.bigEndian, as: UInt64.self)
      count &+= Int(truncatingIfNeeded: bits &>> 3)
      low = sum &<< bits
      range &<<= bits
    }
  }
}

/// The fraction is below 1, so the carry stops before the first byte.
@inline(never)
private func propagateCarry(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) {
  var index = count - 1
  while bytes[index] == 0xFF {
    bytes[index] = 0
    index -= 1
  }
  bytes[index] += 1
}

/// Reads what a `RangeEncoder` wrote, given the same totals.
struct RangeDecoder {
  /// The fraction less the encoder's `low`.
  private var code: UInt64 = 0
  private var range = UInt64.max
  private var unit: UInt64 = 0
  private let bytes: UnsafeRawBufferPointer
  /// How many bytes have been read, those after the last one too.
  private var position = 0
  private let divider = RangeDivider()

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    code = nextBytes()
    position = 8
  }

  /// A position within the choice that was written; nil if the bytes are not an encoder's.
  @inline(__always)
  mutating func position(total: UInt64) -> UInt64? {
    unit = range / total
    let position = code / unit
    return position < total ? position : nil
  }

  /// Reads a choice of `count` equally large ones, in parts of 2^`sizeBits`; nil if the bytes are not an encoder's.
  @inline(__always)
  mutating func decode(count: UInt64, sizeBits: UInt64) -> UInt64? {
    unit = divider.quotient(range, count: count, sizeBits: sizeBits)
    let index = (code / unit) &>> sizeBits
    guard index < count else { return nil }
    advance(start: index &<< sizeBits, size: 1 &<< sizeBits)
    return index
  }

  /// Moves past the choice, which `position` lies in.
  @inline(__always)
  mutating func advance(start: UInt64, size: UInt64) {
    code &-= unit &* start
    range = unit &* size
    let bits = emptyBits(range)
    // In two shifts: there are at most 56 bits to be moved, and none is a shift by the whole width.
    code = code &<< bits | (nextBytes() &>> 8) &>> (56 &- bits)
    range &<<= bits
    position &+= Int(truncatingIfNeeded: bits &>> 3)
  }

  @inline(__always)
  mutating func decode(_ model: inout AdaptiveBit) -> Bool? {
    guard let position = position(total: AdaptiveBit.total) else { return nil }
    let bit = position < model.share(of: true).size
    let share = model.share(of: bit)
    advance(start: share.start, size: share.size)
    model.update(bit)
    return bit
  }

  /// The eight bytes that come next, the first one highest.
  @inline(__always)
  private func nextBytes() -> UInt64 {
    if position &+ 8 <= bytes.count {
      return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }
    var result: UInt64 = 0
    for index in position..<position + 8 { result = result << 8 | UInt64(index < bytes.count ? bytes[index] : 0) }
    return result
  }
}

/// The range is kept at or above this, so that a total of 40 bits still has units of 16 bits.
private let rangeFloor: UInt64 = 1 << 56

/// The bits of whole bytes that a range has room for below 2^64.
@inline(__always)
private func emptyBits(_ range: UInt64) -> UInt64 {
  UInt64(truncatingIfNeeded: range.leadingZeroBitCount & 56)
}

/// What divides numbers below 2^63 by a small number n, by one multiplication.
///
/// With l = ceil(log2 n) and m = floor(2^(63 + l) / n) + 1, the quotient of x is floor(m x / 2^(63 + l)): m n exceeds
/// 2^(63 + l) by at most n <= 2^l (T. Granlund and P. L. Montgomery, "Division by invariant integers using
/// multiplication", 1994, theorem 4.2).
struct Reciprocal {
  private let multiplier: UInt64
  private let shift: UInt64

  /// - Precondition: `2 <= divisor`.
  init(of divisor: UInt64) {
    let bits = UInt64(UInt64.bitWidth - (divisor - 1).leadingZeroBitCount)
    // 2^(63 + l) as two words: the high one is half of 2^l.
    multiplier = divisor.dividingFullWidth((1 << (bits - 1), 0)).quotient + 1
    shift = bits - 1
  }

  /// - Precondition: `dividend < 2^63`.
  @inline(__always)
  func quotient(_ dividend: UInt64) -> UInt64 {
    multiplier.multipliedFullWidth(by: dividend).high &>> shift
  }
}

/// Divides ranges by the number of equally large choices. Most numbers are small, and a division takes the time of
/// several multiplications.
struct RangeDivider {
  private static let limit: UInt64 = 64
  // Never freed. Those of 0 and 1 are not used.
  private nonisolated(unsafe) static let all: UnsafePointer<Reciprocal> = {
    let table = UnsafeMutablePointer<Reciprocal>.allocate(capacity: Int(limit))
    for divisor in 0..<limit { (table + Int(divisor)).initialize(to: Reciprocal(of: max(divisor, 2))) }
    return UnsafePointer(table)
  }()
  /// Looked up once, not at every division.
  private let reciprocals = Self.all

  /// The range divided by `count << sizeBits`.
  ///
  /// - Precondition: `2 <= count`.
  @inline(__always)
  func quotient(_ range: UInt64, count: UInt64, sizeBits: UInt64) -> UInt64 {
    let dividend = range &>> sizeBits
    guard count < Self.limit, sizeBits > 0 else { return dividend / count }
    return reciprocals[Int(truncatingIfNeeded: count)].quotient(dividend)
  }
}

/// A yes or no whose probability is learned from those before it.
struct AdaptiveBit {
  static let total: UInt64 = 1 << 16
  /// The share of yes, which never reaches 0 or `total`.
  private var yes = total / 2

  @inline(__always)
  func share(of bit: Bool) -> (start: UInt64, size: UInt64) {
    bit ? (0, yes) : (yes, Self.total - yes)
  }

  @inline(__always)
  mutating func update(_ bit: Bool) {
    if bit {
      yes += (Self.total - yes) >> 5
    } else {
      yes -= yes >> 5
    }
  }
}
