/// Which rows of a pass see which: for each run of consecutive rows, the rows before it on its path through the tree.
public struct AttentionPlan: Sendable {
  /// Where the keys and values of a run of context rows are.
  public enum Source: Sendable {
    /// Rows of the same pass.
    case active(Range<Int>)
    /// Rows of an earlier pass, in a `KeyValueStore`.
    case kept(Range<Int>)

    var rows: Range<Int> {
      switch self {
      case .active(let rows), .kept(let rows): rows
      }
    }
  }

  /// Consecutive rows of one path: each sees the context and, causally, its own run.
  public struct Run: Sendable {
    public let rows: Range<Int>
    public let context: [Source]
    /// Runs of different groups share no active rows.
    public let group: Int

    public init(rows: Range<Int>, context: [Source], group: Int) {
      self.rows = rows
      self.context = context
      self.group = group
    }

    var contextCount: Int { context.reduce(0) { $0 + $1.rows.count } }
  }

  /// Every run comes after the runs in its context.
  public let runs: [Run]
  /// The indices of each group's runs, in order.
  let groups: [[Int]]
  public let rowCount: Int

  public init(runs: [Run]) {
    self.runs = runs
    rowCount = runs.last?.rows.upperBound ?? 0
    var groups = [[Int]](repeating: [], count: (runs.map(\.group).max() ?? -1) + 1)
    for (index, run) in runs.enumerated() { groups[run.group].append(index) }
    self.groups = groups
  }

  /// All rows of a tree.
  public init(_ tree: TokenTree) {
    var groupOfSegment: [Int] = []
    var groupCount = 0
    self.init(
      runs: tree.segments.indices.map { index in
        let segment = tree.segments[index]
        if let parent = segment.parent {
          groupOfSegment.append(groupOfSegment[parent])
        } else {
          groupOfSegment.append(groupCount)
          groupCount += 1
        }
        return Run(
          rows: segment.rows, context: tree.ancestors(of: index).map { .active(tree.segments[$0].rows) },
          group: groupOfSegment[index])
      })
  }
}
