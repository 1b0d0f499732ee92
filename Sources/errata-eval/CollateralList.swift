import EditEvaluation
import ToolSupport

/// The prompts of other subjects at which later checkpoints say a fact's new target, and the first one did not.
enum CollateralList {
  private static let lineLimit = 20

  static func lines(_ results: [ModelEvaluation]) -> [String] {
    guard let base = results.first?.collateral else { return [] }
    return results.dropFirst().flatMap { result -> [String] in
      let taken = result.collateral?.taken(since: base) ?? []
      if taken.isEmpty { return [] }
      let more = taken.count - lineLimit
      return ["", "\(result.model) says new targets of other subjects too:"]
        + taken.prefix(lineLimit).map { printable("  \($0.fact.label)") }
        + (more > 0 ? ["  … and \(more) more (--json lists all)"] : [])
    }
  }
}
