/// Token sequences that share their common prefixes: a tree of segments, each a run of tokens after its parent's.
///
/// Every row, a token at a place in the tree, is computed once, whichever sequences pass through it.
public struct TokenTree: Sendable {
  public struct Segment: Sendable {
    /// The segment that this one continues; nil for the start of a sequence.
    public let parent: Int?
    public let rows: Range<Int>
  }

  /// A token in a sequence, and what sets its row apart from another row with the same tokens up to there.
  public struct Element: Hashable, Sendable {
    public let token: Int32
    /// Rows with different marks are never shared. The value search marks the rows that a fact's delta is added to.
    public let mark: Int32

    public init(token: Int32, mark: Int32 = -1) {
      self.token = token
      self.mark = mark
    }
  }

  /// Parents before children; rows of a segment are consecutive.
  public let segments: [Segment]
  public let tokens: [Int32]
  /// The distance of each row from the start of its sequences.
  public let positions: [Int32]
  /// For each sequence, the row of each of its tokens.
  public let rowsOfSequence: [[Int]]

  public var rowCount: Int { tokens.count }

  public init(_ sequences: [[Int32]]) {
    self.init(marked: sequences.map { $0.map { Element(token: $0) } })
  }

  public init(marked sequences: [[Element]]) {
    var builder = Builder()
    let ends = sequences.map { builder.insert($0) }
    let layout = builder.layout()
    segments = layout.segments
    tokens = layout.nodeOfRow.map { builder.nodes[$0].element.token }
    positions = layout.nodeOfRow.map { builder.nodes[$0].depth }
    rowsOfSequence = ends.map { path in path.map { layout.rowOfNode[$0] } }
  }

  /// The segments from the root down to, and without, `segment`.
  public func ancestors(of segment: Int) -> [Int] {
    var chain: [Int] = []
    var current = segments[segment].parent
    while let ancestor = current {
      chain.append(ancestor)
      current = segments[ancestor].parent
    }
    return chain.reversed()
  }
}

/// A trie of elements; chains without a branch become segments.
private struct Builder {
  struct Node {
    let element: TokenTree.Element
    let depth: Int32
    var children: [Int] = []
  }

  struct Edge: Hashable {
    let parent: Int
    let element: TokenTree.Element
  }

  struct Layout {
    var segments: [TokenTree.Segment] = []
    var nodeOfRow: [Int] = []
    var rowOfNode: [Int]
  }

  var nodes: [Node] = []
  var roots: [Int] = []
  var edges: [Edge: Int] = [:]

  /// The nodes of the sequence's elements.
  mutating func insert(_ sequence: [TokenTree.Element]) -> [Int] {
    var parent = -1
    return sequence.enumerated().map { depth, element in
      let edge = Edge(parent: parent, element: element)
      if let node = edges[edge] {
        parent = node
        return node
      }
      let node = nodes.count
      nodes.append(Node(element: element, depth: Int32(depth)))
      edges[edge] = node
      if parent < 0 { roots.append(node) } else { nodes[parent].children.append(node) }
      parent = node
      return node
    }
  }

  func layout() -> Layout {
    var layout = Layout(rowOfNode: Array(repeating: 0, count: nodes.count))
    var pending: [(node: Int, parent: Int?)] = roots.reversed().map { ($0, nil) }
    while let (first, parent) = pending.popLast() {
      let start = layout.nodeOfRow.count
      var node = first
      while true {
        layout.rowOfNode[node] = layout.nodeOfRow.count
        layout.nodeOfRow.append(node)
        guard nodes[node].children.count == 1 else { break }
        node = nodes[node].children[0]
      }
      let segment = layout.segments.count
      layout.segments.append(.init(parent: parent, rows: start..<layout.nodeOfRow.count))
      for child in nodes[node].children.reversed() { pending.append((child, segment)) }
    }
    return layout
  }
}
