/// Why bytes are not a deflate stream of the expected length.
struct InflateError: Error, Equatable {
  let reason: String
}

/// Decompresses a deflate stream (RFC 1951).
///
/// - Parameters:
///   - bytes: the whole stream; bytes behind its end are an error.
///   - count: how many bytes it stands for; no more memory is taken.
/// - Throws: `InflateError`.
func inflate(_ bytes: UnsafeRawBufferPointer, count: Int) throws(InflateError) -> [UInt8] {
  var decoder = InflateDecoder(input: bytes, expected: count)
  try decoder.run()
  return decoder.output
}

private struct InflateDecoder {
  private let input: UnsafeRawBufferPointer
  private let expected: Int
  private var position = 0
  /// Bits that were read and not used, the next one lowest.
  private var bits: UInt32 = 0
  private var bitCount = 0
  private(set) var output: [UInt8] = []

  init(input: UnsafeRawBufferPointer, expected: Int) {
    self.input = input
    self.expected = expected
    output.reserveCapacity(expected)
  }

  mutating func run() throws(InflateError) {
    var isLast = false
    while !isLast {
      isLast = try take(1) == 1
      switch try take(2) {
      case 0: try copyStored()
      case 1: try decode(Self.fixedLiterals, Self.fixedDistances)
      case 2:
        let (literals, distances) = try readCodes()
        try decode(literals, distances)
      default: throw InflateError(reason: "a block of an unknown kind")
      }
    }
    guard output.count == expected else { throw InflateError(reason: "it is shorter than it says") }
    guard position == input.count else { throw InflateError(reason: "bytes follow its end") }
  }

  /// - Parameter count: at most 16.
  private mutating func take(_ count: Int) throws(InflateError) -> Int {
    while bitCount < count {
      guard position < input.count else { throw InflateError(reason: "it ends early") }
      bits |= UInt32(input[position]) << UInt32(bitCount)
      position += 1
      bitCount += 8
    }
    let value = bits & (1 << UInt32(count) - 1)
    bits >>= UInt32(count)
    bitCount -= count
    return Int(value)
  }

  private func checkRoom(_ count: Int) throws(InflateError) {
    guard count <= expected - output.count else { throw InflateError(reason: "it is longer than it says") }
  }

  private mutating func copyStored() throws(InflateError) {
    // Fewer than eight bits are left over: the block begins at the next byte.
    (bits, bitCount) = (0, 0)
    let count = try take(16)
    guard try take(16) == count ^ 0xFFFF else { throw InflateError(reason: "a stored block's length is damaged") }
    guard count <= input.count - position else { throw InflateError(reason: "it ends early") }
    try checkRoom(count)
    output.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[position..<position + count]))
    position += count
  }

  private mutating func decode(_ literals: PrefixCode, _ distances: PrefixCode) throws(InflateError) {
    while true {
      let symbol = try takeSymbol(literals)
      if symbol < 256 {
        try checkRoom(1)
        output.append(UInt8(symbol))
        continue
      }
      if symbol == 256 { return }
      guard symbol - 257 < Self.lengthBases.count else { throw InflateError(reason: "an unknown length") }
      let length = Self.lengthBases[symbol - 257] + (try take(Self.lengthBits[symbol - 257]))
      let distanceSymbol = try takeSymbol(distances)
      guard distanceSymbol < Self.distanceBases.count else { throw InflateError(reason: "an unknown distance") }
      let distance = Self.distanceBases[distanceSymbol] + (try take(Self.distanceBits[distanceSymbol]))
      guard distance <= output.count else { throw InflateError(reason: "a copy from before its beginning") }
      try checkRoom(length)
      // A copy may overlap what it writes.
      for _ in 0..<length { output.append(output[output.count - distance]) }
    }
  }

  /// Canonical codes, bit by bit: the codes of each length are consecutive numbers.
  private mutating func takeSymbol(_ code: PrefixCode) throws(InflateError) -> Int {
    var value = 0
    var first = 0
    var index = 0
    for length in 1..<code.counts.count {
      value |= try take(1)
      let count = code.counts[length]
      if value - first < count { return code.symbols[index + value - first] }
      index += count
      first = (first + count) << 1
      value <<= 1
    }
    throw InflateError(reason: "a code that stands for nothing")
  }

  private mutating func readCodes() throws(InflateError) -> (literals: PrefixCode, distances: PrefixCode) {
    let literalCount = try take(5) + 257
    let distanceCount = try take(5) + 1
    let lengthCount = try take(4) + 4
    guard literalCount <= 286, distanceCount <= 30 else { throw InflateError(reason: "too many codes") }
    var lengthLengths = [Int](repeating: 0, count: 19)
    for index in 0..<lengthCount { lengthLengths[Self.lengthOrder[index]] = try take(3) }
    let lengthCode = try PrefixCode(lengths: lengthLengths)
    var lengths: [Int] = []
    while lengths.count < literalCount + distanceCount {
      let symbol = try takeSymbol(lengthCode)
      let value: Int
      let repetitions: Int
      switch symbol {
      case 0..<16: (value, repetitions) = (symbol, 1)
      case 16:
        guard let last = lengths.last else { throw InflateError(reason: "it repeats a length before the first") }
        (value, repetitions) = (last, 3 + (try take(2)))
      case 17: (value, repetitions) = (0, 3 + (try take(3)))
      default: (value, repetitions) = (0, 11 + (try take(7)))
      }
      guard repetitions <= literalCount + distanceCount - lengths.count else {
        throw InflateError(reason: "too many code lengths")
      }
      lengths += [Int](repeating: value, count: repetitions)
    }
    guard lengths[256] > 0 else { throw InflateError(reason: "a block without an end") }
    return (
      try PrefixCode(lengths: Array(lengths[..<literalCount])), try PrefixCode(lengths: Array(lengths[literalCount...]))
    )
  }

  private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
  private static let lengthBases = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
  ]
  private static let lengthBits = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
  ]
  private static let distanceBases = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
  ]
  private static let distanceBits = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
  ]
  private static let fixedLiterals = try! PrefixCode(
    lengths: [Int](repeating: 8, count: 144) + [Int](repeating: 9, count: 112) + [Int](repeating: 7, count: 24)
      + [Int](repeating: 8, count: 8))
  private static let fixedDistances = try! PrefixCode(lengths: [Int](repeating: 5, count: 30))
}

/// A canonical prefix code: how many codes there are of each length, and the symbols in the order of their codes.
private struct PrefixCode: Sendable {
  let counts: [Int]
  let symbols: [Int]

  /// - Parameter lengths: for each symbol the length of its code, 0 if it has none.
  /// - Throws: `InflateError` if there are more codes than bits tell apart. A code that is not complete is allowed:
  ///   deflate has one for a single distance, and what has no meaning is found when it occurs.
  init(lengths: [Int]) throws(InflateError) {
    var counts = [Int](repeating: 0, count: 16)
    for length in lengths where length > 0 { counts[length] += 1 }
    var free = 1
    for length in 1..<16 {
      free = free << 1 - counts[length]
      guard free >= 0 else { throw InflateError(reason: "a code that is not a prefix code") }
    }
    self.counts = counts
    symbols = lengths.indices.filter { lengths[$0] > 0 }.sorted { (lengths[$0], $0) < (lengths[$1], $1) }
  }
}
