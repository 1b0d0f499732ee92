/// Finds the strings of a set that begin at a place in a text: a trie.
///
/// The nodes stand in the order of their depth, so that the children of one are neighbours, ordered by their bytes, and
/// those of the next node follow. Node 0 is the root.
struct PrefixTree: Sendable {
  /// The byte that leads to each node.
  private var bytes: [UInt8] = [0]
  /// Where the children of each node begin; they end where those of the next node begin.
  private var firstChildren: [Int32] = []
  /// The number of the string that ends at each node; -1 if none does.
  private var strings: [Int32] = [-1]

  /// - Parameter strings: of two that are equal the later is found. Empty ones are never found.
  init(_ strings: [[UInt8]]) {
    let order = strings.indices.sorted {
      (strings[$0].lexicographicallyPrecedes(strings[$1])) || (strings[$0] == strings[$1] && $0 < $1)
    }
    // The strings below each node, as a range of `order`.
    var ranges = [order.indices]
    var depth = 0
    var depthEnd = 1
    var node = 0
    while node < ranges.count {
      if node == depthEnd { (depth, depthEnd) = (depth + 1, ranges.count) }
      firstChildren.append(Int32(bytes.count))
      var start = ranges[node].lowerBound
      // Those that end here come first.
      while start < ranges[node].upperBound, strings[order[start]].count == depth { start += 1 }
      while start < ranges[node].upperBound {
        let byte = strings[order[start]][depth]
        var end = start
        while end < ranges[node].upperBound, strings[order[end]][depth] == byte { end += 1 }
        let ending = order[start..<end].prefix { strings[$0].count == depth + 1 }.last
        bytes.append(byte)
        self.strings.append(ending.map { Int32($0) } ?? -1)
        ranges.append(start..<end)
        start = end
      }
      node += 1
    }
    firstChildren.append(Int32(bytes.count))
  }

  /// Calls `body` with the number of each string that stands in `text` at `start`, from the shortest to the longest,
  /// and where it ends.
  @inline(__always)
  func forEachMatch(in text: UnsafeBufferPointer<UInt8>, at start: Int, _ body: (Int, Int) -> Void) {
    var node = 0
    var position = start
    while position < text.count, let next = child(of: node, text[position]) {
      node = next
      position += 1
      if strings[node] >= 0 { body(Int(strings[node]), position) }
    }
  }

  @inline(__always)
  private func child(of node: Int, _ byte: UInt8) -> Int? {
    var lower = Int(firstChildren[node])
    let end = Int(firstChildren[node + 1])
    var upper = end
    while lower < upper {
      let middle = (lower + upper) / 2
      if bytes[middle] < byte { lower = middle + 1 } else { upper = middle }
    }
    return lower < end && bytes[lower] == byte ? lower : nil
  }
}
