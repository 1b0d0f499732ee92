/// Where the keys of a JSON object stand among its members: a dictionary would keep every key, and hash it, twice.
///
/// A few keys are compared one by one; more are found by open addressing with linear probing.
struct KeyPositions: Sendable {
  private static let fewKeys = 8

  /// The hash of a key in the high half, its position plus 1 in the low half; 0 is empty. None, or a power of two of
  /// them.
  private var slots: [UInt64] = []

  /// The position of `key` among `members`; nil if it is not there.
  func find(_ key: ByteString, in members: [(key: ByteString, value: JSON)]) -> Int? {
    if slots.isEmpty { return members.firstIndex { $0.key == key } }
    let found = slots[slot(of: key, Self.hash(key), in: members)]
    return found == 0 ? nil : Self.position(found)
  }

  /// Enters `key`, whose member is about to be appended to `members`.
  ///
  /// - Returns: false, and no change, if it is there already.
  mutating func insert(_ key: ByteString, in members: [(key: ByteString, value: JSON)]) -> Bool {
    if members.count < Self.fewKeys { return find(key, in: members) == nil }
    if slots.isEmpty { index(members) }
    let hash = Self.hash(key)
    let slot = slot(of: key, hash, in: members)
    guard slots[slot] == 0 else { return false }
    slots[slot] = UInt64(hash) << 32 | UInt64(members.count + 1)
    if members.count * 2 >= slots.count { grow() }
    return true
  }

  private mutating func index(_ members: [(key: ByteString, value: JSON)]) {
    slots = [UInt64](repeating: 0, count: 8 * Self.fewKeys)
    for (position, member) in members.enumerated() {
      place(UInt64(Self.hash(member.key)) << 32 | UInt64(position + 1))
    }
  }

  private mutating func grow() {
    let entries = slots
    slots = [UInt64](repeating: 0, count: 4 * entries.count)
    for entry in entries where entry != 0 { place(entry) }
  }

  /// Puts the entry of a key that is not there yet into the first empty slot.
  private mutating func place(_ entry: UInt64) {
    let mask = slots.count - 1
    var slot = Int(entry >> 32) & mask
    while slots[slot] != 0 { slot = (slot + 1) & mask }
    slots[slot] = entry
  }

  /// Where `key` stands, or the empty slot where it would.
  private func slot(of key: ByteString, _ hash: UInt32, in members: [(key: ByteString, value: JSON)]) -> Int {
    let mask = slots.count - 1
    var slot = Int(hash) & mask
    while slots[slot] != 0 {
      if slots[slot] >> 32 == UInt64(hash), members[Self.position(slots[slot])].key == key { return slot }
      slot = (slot + 1) & mask
    }
    return slot
  }

  private static func position(_ entry: UInt64) -> Int { Int(entry & 0xFFFF_FFFF) - 1 }

  /// Random for each process, so that nobody can write keys that all collide.
  private static func hash(_ key: ByteString) -> UInt32 {
    var hasher = Hasher()
    key.bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }
}
