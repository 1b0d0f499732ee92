extension MergeTable {
  /// Merges neighbours until none of them merge: always the pair of the lowest rank, of several the leftmost.
  ///
  /// Time: O(n^2) for few symbols, where a scan beats a queue; O(n log n) for many.
  func apply(to symbols: inout [PieceToken]) {
    if symbols.count < 2 { return }
    if symbols.count <= Self.scanLimit {
      applyByScanning(&symbols)
    } else {
      applyByQueue(&symbols)
    }
  }

  /// Measured: the two take the same time for words of about this many bytes.
  static let scanLimit = 96

  func applyByScanning(_ symbols: inout [PieceToken]) {
    // Symbol i and symbol i + 1 merge as merges[i].
    var count = symbols.count
    withUnsafeTemporaryAllocation(of: Merge.self, capacity: count) { merges in
      func update(_ index: Int) {
        if index >= 0, index + 1 < count { merges[index] = merge(symbols[index].id, symbols[index + 1].id) }
      }
      for index in 0..<count { update(index) }
      while count > 1 {
        var best = 0
        for index in 1..<max(count - 1, 1) where merges[index] < merges[best] { best = index }
        if merges[best] == Self.noMerge { break }
        symbols[best].id = Self.result(of: merges[best])
        symbols[best].end = symbols[best + 1].end
        for index in best + 1..<count - 1 {
          symbols[index] = symbols[index + 1]
          merges[index - 1] = merges[index]
        }
        count -= 1
        update(best - 1)
        update(best)
      }
    }
    symbols.removeLast(symbols.count - count)
  }

  /// A queue of (rank, position), and the symbols as a doubly linked list. Entries of pairs that have changed since are
  /// known by their rank.
  func applyByQueue(_ symbols: inout [PieceToken]) {
    let count = symbols.count
    let rankMask: UInt64 = 0xFFFF_FFFF_0000_0000
    var next = (0..<count).map { $0 + 1 }
    var previous = (0..<count).map { $0 - 1 }
    var isAlive = [Bool](repeating: true, count: count)
    var merges = [Merge](repeating: Self.noMerge, count: count)
    var queue = MinimumQueue()
    func update(_ position: Int) {
      merges[position] = next[position] < count ? merge(symbols[position].id, symbols[next[position]].id) : Self.noMerge
      if merges[position] != Self.noMerge { queue.insert(merges[position] & rankMask | UInt64(position)) }
    }
    for position in 0..<count { update(position) }
    while let entry = queue.removeMinimum() {
      let position = Int(entry & ~rankMask)
      let merge = merges[position]
      guard merge != Self.noMerge, merge & rankMask == entry & rankMask else { continue }
      let right = next[position]
      symbols[position].id = Self.result(of: merge)
      symbols[position].end = symbols[right].end
      isAlive[right] = false
      merges[right] = Self.noMerge
      next[position] = next[right]
      if next[right] < count { previous[next[right]] = position }
      update(position)
      if previous[position] >= 0 { update(previous[position]) }
    }
    symbols = zip(symbols, isAlive).filter(\.1).map(\.0)
  }
}
