import TestSupport
import Testing

@testable import Transformer

@Suite struct TokenTreeTests {
  private typealias Element = TokenTree.Element

  @Test func sharesPrefixes() {
    let tree = TokenTree([[1, 2, 3], [1, 2, 4, 5], [1, 2], [6], [1, 2, 3]])
    #expect(tree.tokens == [1, 2, 3, 4, 5, 6])
    #expect(tree.positions == [0, 1, 2, 2, 3, 0])
    #expect(tree.segments.map(\.rows) == [0..<2, 2..<3, 3..<5, 5..<6])
    #expect(tree.segments.map(\.parent) == [nil, 0, 0, nil])
    #expect(tree.rowsOfSequence == [[0, 1, 2], [0, 1, 3, 4], [0, 1], [5], [0, 1, 2]])
    #expect(tree.ancestors(of: 2) == [0])
    #expect(tree.ancestors(of: 3) == [])
  }

  @Test func nothing() {
    #expect(TokenTree([]).rowCount == 0)
    let tree = TokenTree([[], [1], []])
    #expect(tree.rowsOfSequence == [[], [0], []])
    #expect(AttentionPlan(TokenTree([[]])).rowCount == 0)
  }

  @Test func marksSetRowsApart() {
    let plain = [1, 2, 3].map { Element(token: $0) }
    let marked = [Element(token: 1), Element(token: 2, mark: 0), Element(token: 3)]
    let other = [Element(token: 1), Element(token: 2, mark: 1), Element(token: 3)]
    let tree = TokenTree(marked: [plain, marked, other, marked])
    // Behind a marked row nothing is shared with an unmarked path, though the tokens are the same.
    #expect(tree.rowCount == 1 + 3 * 2)
    #expect(tree.rowsOfSequence[1] == tree.rowsOfSequence[3])
    #expect(Set(tree.rowsOfSequence.map { $0[2] }).count == 3)
  }

  @Test func randomTrees() {
    var random = SeededGenerator(seed: 29)
    for _ in 0..<300 {
      let sequences = (0..<Int.random(in: 0...12, using: &random)).map { _ in
        (0..<Int.random(in: 0...7, using: &random)).map { _ in
          Element(
            token: .random(in: 0...2, using: &random),
            mark: Int.random(in: 0...4, using: &random) == 0 ? .random(in: 0...1, using: &random) : -1)
        }
      }
      checkInvariants(TokenTree(marked: sequences), sequences)
    }
  }

  private func checkInvariants(_ tree: TokenTree, _ sequences: [[Element]]) {
    let prefixes = Set(sequences.flatMap { sequence in sequence.indices.map { Array(sequence[...$0]) } })
    #expect(tree.rowCount == prefixes.count, "every distinct prefix is one row")
    #expect(tree.rowsOfSequence.count == sequences.count)
    var prefixOfRow: [Int: [Element]] = [:]
    for (sequence, rows) in zip(sequences, tree.rowsOfSequence) {
      #expect(rows.map { tree.tokens[$0] } == sequence.map(\.token))
      #expect(rows.map { Int(tree.positions[$0]) } == Array(sequence.indices))
      for (index, row) in rows.enumerated() {
        let prefix = Array(sequence[...index])
        #expect(prefixOfRow[row, default: prefix] == prefix, "a row is shared by sequences that differ")
        prefixOfRow[row] = prefix
      }
    }
    // Segments tile the rows, and parents come first.
    #expect(tree.segments.flatMap { Array($0.rows) } == Array(0..<tree.rowCount))
    for (index, segment) in tree.segments.enumerated() {
      #expect(!segment.rows.isEmpty)
      if let parent = segment.parent { #expect(parent < index) }
    }
    // What a run of the plan sees is the path of its rows, in order.
    let plan = AttentionPlan(tree)
    #expect(plan.rowCount == tree.rowCount)
    for run in plan.runs {
      let path = run.context.flatMap { Array($0.rows) } + Array(run.rows)
      #expect(path.map { tree.tokens[$0] } == prefixOfRow[path.last!]!.map(\.token))
      #expect(path.map { Int(tree.positions[$0]) } == Array(path.indices))
      for source in run.context {
        let owner = plan.runs.first { $0.rows == source.rows }
        #expect(owner?.group == run.group)
      }
    }
    #expect(plan.groups.flatMap(\.self).sorted() == Array(plan.runs.indices))
  }
}
