import Foundation

/// A set of byte strings, numbered from 0 in the order in which they were inserted.
///
/// The bytes stand in one array and are compared in place, so a lookup allocates nothing. A dictionary keyed by
/// `ByteString` is several times slower, and every pre-token of a text is looked up.
struct ByteTable: Sendable {
  private var storage: [UInt8] = []
  private var ends: [Int] = []
  /// Open addressing with linear probing; 0 is an empty slot, n stands for string n - 1. The size is a power of two.
  private var slots: [UInt32]

  init(minimumCapacity: Int = 32) {
    var size = 64
    while size < 2 * minimumCapacity { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
  }

  var count: Int { ends.count }

  subscript(index: Int) -> ArraySlice<UInt8> {
    storage[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
  }

  /// The number of `bytes`; nil if it is not in the set.
  func index(of bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    let found = slots[slot(of: bytes)]
    return found == 0 ? nil : Int(found) - 1
  }

  /// Adds `bytes`; false, and no change, if it is in the set already.
  mutating func insert(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let slot = slot(of: bytes)
    guard slots[slot] == 0 else { return false }
    storage.append(contentsOf: bytes)
    ends.append(storage.count)
    slots[slot] = UInt32(ends.count)
    if ends.count * 2 > slots.count { grow() }
    return true
  }

  /// Where `bytes` stands, or the empty slot where it would.
  private func slot(of bytes: UnsafeBufferPointer<UInt8>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: Self.hash(bytes)) & mask
    while slots[slot] != 0, !equals(bytes, Int(slots[slot]) - 1) { slot = (slot + 1) & mask }
    return slot
  }

  private func equals(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
    let start = index == 0 ? 0 : ends[index - 1]
    guard ends[index] - start == bytes.count else { return false }
    guard let address = bytes.baseAddress else { return true }
    return storage.withUnsafeBufferPointer { memcmp($0.baseAddress! + start, address, bytes.count) == 0 }
  }

  private mutating func grow() {
    slots = [UInt32](repeating: 0, count: slots.count * 2)
    let mask = slots.count - 1
    storage.withUnsafeBufferPointer { storage in
      var start = 0
      for (index, end) in ends.enumerated() {
        var slot = Int(truncatingIfNeeded: Self.hash(UnsafeBufferPointer(rebasing: storage[start..<end]))) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(index + 1)
        start = end
      }
    }
  }

  /// Random for each process, so that nobody can write a vocabulary or a text whose strings all collide.
  private static let seed = UInt64.random(in: .min ... .max)

  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash = seed ^ UInt64(bytes.count)
    let raw = UnsafeRawBufferPointer(bytes)
    var position = 0
    while position + 8 <= raw.count {
      hash = mix(hash ^ raw.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      position += 8
    }
    var rest: UInt64 = 0
    while position < raw.count {
      rest = rest << 8 | UInt64(raw[position])
      position += 1
    }
    return mix(hash ^ rest)
  }

  /// Folds the 128-bit product with an odd constant (the golden ratio), so that every bit reaches the low ones.
  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return product.high ^ product.low
  }
}
