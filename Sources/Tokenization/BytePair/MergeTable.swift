/// The merges of a byte-pair encoding, findable by the two tokens that they join.
struct MergeTable: Sendable {
  /// A rank (high half) and the token that the merge makes (low half): the smaller value is the merge to do first.
  typealias Merge = UInt64

  static let noMerge = Merge.max

  /// Open addressing with linear probing. No pair has this key, because ids are not negative.
  private static let emptyKey = UInt64.max
  private var keys: [UInt64]
  private var merges: [Merge]

  init(capacity: Int) {
    var size = 64
    while size < 2 * capacity { size *= 2 }
    keys = [UInt64](repeating: Self.emptyKey, count: size)
    merges = [Merge](repeating: Self.noMerge, count: size)
  }

  /// How the pair of tokens merges; `noMerge` if it does not.
  @inline(__always)
  func merge(_ left: Int32, _ right: Int32) -> Merge {
    merges[slot(of: Self.key(left, right))]
  }

  /// Sets how a pair merges. Of two merges of one pair the later counts, as in `tokenizers`.
  ///
  /// - Precondition: no more pairs than the capacity.
  mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, result: Int32) {
    let key = Self.key(left, right)
    let slot = slot(of: key)
    keys[slot] = key
    merges[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: result))
  }

  static func result(of merge: Merge) -> Int32 {
    Int32(truncatingIfNeeded: merge)
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private func slot(of key: UInt64) -> Int {
    let mask = keys.count - 1
    let product = key.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    var slot = Int(truncatingIfNeeded: product.high ^ product.low) & mask
    while keys[slot] != key, keys[slot] != Self.emptyKey { slot = (slot + 1) & mask }
    return slot
  }
}
