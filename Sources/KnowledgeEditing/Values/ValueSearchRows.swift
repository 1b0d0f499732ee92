import Facts
import Transformer

/// The rows of a batch of facts: one prefix tree, split where deltas are added.
struct ValueSearchRows {
  /// For each fact: its prompts with the target but for its last token, then its essence.
  let tree: TokenTree
  /// The lookup row of each fact's bare prompt.
  let bareLookups: [Int]
  /// Rows without a lookup at or before them on their path.
  let constantRows: [Int]
  let constantPlan: AttentionPlan
  /// The index in `constantRows` of a constant row.
  private let constantIndex: [Int]
  /// For each segment: its constant rows, its variable rows, and to which fact those belong.
  private let parts: [Part]
  private let marks: Set<Int>
  private let firstSequence: [Int]

  private struct Part {
    let constant: Range<Int>
    let variable: Range<Int>
    let fact: Int?
  }

  init(_ problems: [ValueProblem]) {
    var sequences: [[TokenTree.Element]] = []
    var lookups: [Int] = []
    var firstSequence: [Int] = []
    for (fact, problem) in problems.enumerated() {
      firstSequence.append(sequences.count)
      let rest = problem.target.dropLast()
      for prompt in problem.prompts.map({ TokenizedPrompt(tokens: $0.tokens + rest, lookup: $0.lookup) })
        + [problem.essence]
      {
        sequences.append(
          prompt.tokens.enumerated().map { position, token in
            // Marked rows are shared by the prompts of one fact, and never by two facts.
            TokenTree.Element(token: token, mark: position == prompt.lookup ? Int32(fact) : -1)
          })
        lookups.append(prompt.lookup)
      }
    }
    let tree = TokenTree(marked: sequences)
    self.tree = tree
    self.firstSequence = firstSequence
    let lookupRows = zip(tree.rowsOfSequence, lookups).map { $0[$1] }
    bareLookups = firstSequence.map { lookupRows[$0] }
    var factOfMark: [Int: Int] = [:]
    for (fact, start) in firstSequence.enumerated() {
      for sequence in start...start + problems[fact].prompts.count { factOfMark[lookupRows[sequence]] = fact }
    }
    marks = Set(factOfMark.keys)

    var parts: [Part] = []
    var constantRows: [Int] = []
    var constantIndex = [Int](repeating: -1, count: tree.rowCount)
    for segment in tree.segments {
      let inherited = segment.parent.flatMap { parts[$0].fact }
      let mark = inherited == nil ? segment.rows.first { factOfMark[$0] != nil } : nil
      let split = inherited != nil ? segment.rows.lowerBound : mark ?? segment.rows.upperBound
      parts.append(
        Part(
          constant: segment.rows.lowerBound..<split, variable: split..<segment.rows.upperBound,
          fact: inherited ?? mark.flatMap { factOfMark[$0] }))
      for row in segment.rows.lowerBound..<split {
        constantIndex[row] = constantRows.count
        constantRows.append(row)
      }
    }
    self.parts = parts
    self.constantRows = constantRows
    self.constantIndex = constantIndex
    constantPlan = AttentionPlan(
      runs: tree.segments.indices.compactMap { index in
        let rows = parts[index].constant
        if rows.isEmpty { return nil }
        func packed(_ rows: Range<Int>) -> Range<Int> {
          let start = constantIndex[rows.lowerBound]
          return start..<start + rows.count
        }
        let context = tree.ancestors(of: index).map { AttentionPlan.Source.active(packed(parts[$0].constant)) }
        return AttentionPlan.Run(rows: packed(rows), context: context, group: 0)
      })
  }

  /// The variable rows of some facts, one after the other.
  func packed(_ facts: [Int], problems: [ValueProblem]) -> PackedRows {
    let positionOfFact = Dictionary(uniqueKeysWithValues: facts.enumerated().map { ($1, $0) })
    var packedIndex = [Int](repeating: -1, count: tree.rowCount)
    var treeRows: [Int] = []
    var runs: [AttentionPlan.Run] = []
    var markedRows = [[Int]](repeating: [], count: facts.count)
    for (index, part) in parts.enumerated() {
      guard let fact = part.fact, let position = positionOfFact[fact], !part.variable.isEmpty else { continue }
      let start = treeRows.count
      for row in part.variable {
        packedIndex[row] = treeRows.count
        if marks.contains(row) { markedRows[position].append(treeRows.count) }
        treeRows.append(row)
      }
      var context: [AttentionPlan.Source] = []
      for ancestor in tree.ancestors(of: index) + [index] {
        let rows = parts[ancestor]
        if !rows.constant.isEmpty {
          let first = constantIndex[rows.constant.lowerBound]
          context.append(.kept(first..<first + rows.constant.count))
        }
        if ancestor != index, !rows.variable.isEmpty {
          let first = packedIndex[rows.variable.lowerBound]
          context.append(.active(first..<first + rows.variable.count))
        }
      }
      runs.append(.init(rows: start..<treeRows.count, context: context, group: position))
    }
    return PackedRows(
      plan: AttentionPlan(runs: runs), treeRows: treeRows, positions: treeRows.map { tree.positions[$0] },
      markedRows: markedRows,
      lossRows: facts.flatMap { lossRows(of: $0, problems[$0], packedIndex: packedIndex) })
  }

  /// The rows at which a fact's loss reads the next token's distribution; prompts may share one.
  private func lossRows(of fact: Int, _ problem: ValueProblem, packedIndex: [Int]) -> [PackedRows.LossRow] {
    var targets: [Int: [(token: Int32, coefficient: Double)]] = [:]
    let coefficient = 1 / Double(problem.prompts.count * problem.target.count)
    let first = firstSequence[fact]
    for (offset, prompt) in problem.prompts.enumerated() {
      for (place, token) in problem.target.enumerated() {
        let row = tree.rowsOfSequence[first + offset][prompt.tokens.count - 1 + place]
        targets[packedIndex[row], default: []].append((token, coefficient))
      }
    }
    let essenceRow = packedIndex[tree.rowsOfSequence[first + problem.prompts.count][problem.essence.lookup]]
    return Set(targets.keys).union([essenceRow]).sorted().map {
      PackedRows.LossRow(
        row: $0, fact: fact, targets: targets[$0] ?? [], holdsDistribution: $0 == essenceRow)
    }
  }
}

/// The variable rows of the facts that are still searched, as one pass computes them.
struct PackedRows {
  struct LossRow {
    let row: Int
    let fact: Int
    /// Tokens whose negative log-likelihood counts here, and how much.
    let targets: [(token: Int32, coefficient: Double)]
    /// Whether the KL term reads this row.
    let holdsDistribution: Bool
  }

  let plan: AttentionPlan
  /// The row of the tree that each row is.
  let treeRows: [Int]
  let positions: [Int32]
  /// For each fact, the rows that its delta is added to.
  let markedRows: [[Int]]
  let lossRows: [LossRow]
}
