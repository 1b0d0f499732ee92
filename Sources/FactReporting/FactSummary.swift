import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

/// What is asked of the facts after an edit (`--require`).
public enum FactRequirement: Sendable, Equatable {
  /// That all of them hold.
  case hold
  /// That the whole target of each has this probability at least.
  case probability(Double)

  func isMet(by verdict: FactVerdict) -> Bool {
    switch self {
    case .hold: verdict.holds
    case .probability(let least): verdict.jointProbability >= least
    }
  }
}

/// Which facts hold, and what the model says of those that do not.
public struct FactSummary {
  public let verdicts: [(fact: Manifest.Fact, verdict: FactVerdict)]

  public init(_ verdicts: [(fact: Manifest.Fact, verdict: FactVerdict)]) {
    self.verdicts = verdicts
  }

  /// Those that do not hold or do not meet the requirement, the least likely target first.
  func failed(_ requirement: FactRequirement = .hold) -> [(fact: Manifest.Fact, verdict: FactVerdict)] {
    verdicts.filter { !$0.verdict.holds || !requirement.isMet(by: $0.verdict) }
      .sorted { $0.verdict.jointProbability < $1.verdict.jointProbability }
  }

  /// For people: how many hold, and each that does not, with what the model says instead.
  public func lines(_ requirement: FactRequirement? = nil) -> [String] {
    let held = verdicts.count { $0.verdict.holds }
    let failed = failed(requirement ?? .hold)
    let rest = verdicts.count - held
    let first =
      "\(held) of \(counted(verdicts.count, "fact")) \(held == 1 ? "holds" : "hold")"
      + (rest == 0 ? "" : "; \(rest) \(rest == 1 ? "does" : "do") not")
    return [first + (failed.isEmpty ? "" : ":")]
      + failed.map { fact, verdict in
        printable(
          "  \(fact.label): says \"\(verdict.reply)\", P \(formatPercent(verdict.jointProbability)), "
            + "\(formatPercent(verdict.probability)) per token")
      }
  }

  public var json: JSON {
    .array(
      verdicts.map { fact, verdict in
        [
          "fact": JSON(fact.identifier), "holds": .bool(verdict.holds), "reply": JSON(verdict.reply),
          "probability": .double(verdict.probability), "joint_probability": .double(verdict.jointProbability),
        ]
      })
  }

  /// - Throws: an `ErrataError` if facts do not meet the requirement.
  public func check(_ requirement: FactRequirement) throws {
    let count = verdicts.count { !requirement.isMet(by: $0.verdict) }
    if count > 0 { throw ErrataError.requirementNotMet(requirement, count, of: verdicts.count) }
  }
}
