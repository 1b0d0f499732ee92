import EditEvaluation
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport
import WeightPatch

/// How far the later batches of a sequence have moved the facts of earlier ones, read off its patches: |D k| of one
/// later patch at the key of a fact, as a share of what the fact asked for.
struct SequenceMovement {
  /// What counts as moved: a fifth, as `errata stack` reports it.
  private static let threshold = 0.2

  /// The facts that a later patch has moved so far, the one that moved most first; each with the largest share.
  let moved: [(fact: Manifest.Fact, share: Double)]
  private let remedy: String

  /// - Parameters:
  ///   - folder: where the patches are.
  ///   - statistics: for keys that the patches do not carry.
  ///   - lambda: the slack to solve them together at.
  /// - Returns: nil where the patches do not tell, because keys are missing or have no common system.
  init?(of steps: [SequentialEdit.Step], in folder: String, statistics: SecondMoments, lambda: Double) {
    guard let stack = try? PatchStack(steps.map { try PatchFile(path: $0.path) }),
      let settlement = try? stack.settled([]),
      var interference = try? stack.interference(settlement)
    else { return nil }
    if !interference.unknown.isEmpty {
      guard let found = try? stack.interference(settlement, statistics: statistics), found.unknown.isEmpty else {
        return nil
      }
      interference = found
    }
    var seen: Set<String> = []
    moved = interference.entries.filter { $0.share >= Self.threshold && seen.insert($0.fact.identifier).inserted }
      .map { ($0.fact, $0.share) }
    remedy = "errata stack \(folder)/*.wpatch --resolve --lambda \(formatNumber(lambda)) -o mended.wpatch"
  }

  var lines: [String] {
    guard let first = moved.first else { return [] }
    return [
      "later batches moved \(counted(moved.count, "earlier fact")) by a fifth of what "
        + "\(inflected(moved.count, "it asks", "they ask")) for or more: \(first.fact.label) by "
        + "\(formatShare(first.share, digits: 2))",
      "solve all facts together: \(remedy)",
    ]
  }

  var json: JSON {
    .array(moved.map { ["fact": JSON($0.fact.identifier), "share": .double($0.share)] })
  }
}
