import Tensors

/// What is said of facts that are not as they should be.
extension ErrataError {
  static func requirementNotMet(_ requirement: FactRequirement, _ count: Int, of total: Int) -> ErrataError {
    let subject = "\(count) of \(counted(total, "fact"))"
    return switch requirement {
    case .hold: ErrataError(.unmet, "\(subject) \(count == 1 ? "does" : "do") not hold, as listed")
    case .probability(let least):
      ErrataError(.unmet, "\(subject) \(count == 1 ? "has" : "have") a probability below \(least), as listed")
    }
  }

  static func factsHaveProblems(_ path: String, _ count: Int) -> ErrataError {
    ErrataError(
      .general, path,
      "\(counted(count, "problem")) for which an edit would refuse the facts, as listed")
  }
}
