/// A range coder: a sequence of choices, each a share of a whole, becomes one binary fraction, written to as many bytes
/// as it needs. All arithmetic is on 64-bit integers (Spec: undo record).
///
/// After G. N. N. Martin, "Range encoding: an algorithm for removing redundancy from a digitised message" (1979).
struct RangeEncoder {
  private var low: UInt64 = 0
  private var range = UInt64.max
  private var bytes: [UInt8] = []

  /// Writes the choice that occupies `start..<start + size` of `total`.
  ///
  /// - Precondition: `0 < size`, `start + size <= total <= 2^40`.
  @inline(__always)
  mutating func encode(start: UInt64, size: UInt64, total: UInt64) {
    let unit = range / total
    let (sum, carry) = low.addingReportingOverflow(unit * start)
    if carry { propagateCarry() }
    low = sum
    range = unit * size
    while range < rangeFloor {
      bytes.append(UInt8(truncatingIfNeeded: low >> 56))
      low <<= 8
      range <<= 8
    }
  }

  @inline(__always)
  mutating func encode(_ bit: Bool, _ model: inout AdaptiveBit) {
    let share = model.share(of: bit)
    encode(start: share.start, size: share.size, total: AdaptiveBit.total)
    model.update(bit)
  }

  /// The bytes written; a reader takes the bytes after the last one as zeros.
  consuming func finish() -> [UInt8] {
    // The fraction in [low, low + range) with the fewest bytes: the range is never less than one unit of this byte.
    let (sum, carry) = low.addingReportingOverflow(rangeFloor - 1)
    if carry { propagateCarry() }
    bytes.append(UInt8(truncatingIfNeeded: sum >> 56))
    while bytes.last == 0 { bytes.removeLast() }
    return bytes
  }

  /// The fraction is below 1, so the carry stops before the first byte.
  private mutating func propagateCarry() {
    var index = bytes.count - 1
    while bytes[index] == 0xFF {
      bytes[index] = 0
      index -= 1
    }
    bytes[index] += 1
  }
}

/// Reads what a `RangeEncoder` wrote, given the same totals.
struct RangeDecoder {
  /// The fraction less the encoder's `low`.
  private var code: UInt64 = 0
  private var range = UInt64.max
  private var unit: UInt64 = 0
  private var bytes: UnsafeRawBufferPointer.Iterator

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes.makeIterator()
    for _ in 0..<8 { readByte() }
  }

  /// A position within the choice that was written; nil if the bytes are not an encoder's.
  @inline(__always)
  mutating func position(total: UInt64) -> UInt64? {
    unit = range / total
    let position = code / unit
    return position < total ? position : nil
  }

  /// Moves past the choice, which `position` lies in.
  @inline(__always)
  mutating func advance(start: UInt64, size: UInt64) {
    code -= unit * start
    range = unit * size
    while range < rangeFloor {
      readByte()
      range <<= 8
    }
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

  @inline(__always)
  private mutating func readByte() {
    code = code << 8 | UInt64(bytes.next() ?? 0)
  }
}

/// The range is kept at or above this, so that a total of 40 bits still has units of 16 bits.
private let rangeFloor: UInt64 = 1 << 56

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
