import ArgumentParser
import FactReporting

extension FactRequirement: ExpressibleByArgument {
  private static let holdWord = "hold"

  public init?(argument: String) {
    if argument == Self.holdWord {
      self = .hold
    } else if let least = Double(argument), (0...1).contains(least) {
      self = .probability(least)
    } else {
      return nil
    }
  }

  /// The arguments with the value that `--require` has without one: an option of swift-argument-parser always takes
  /// one.
  static func completing(_ arguments: [String]) -> [String] {
    var completed: [String] = []
    for (index, argument) in arguments.enumerated() {
      completed.append(argument)
      let next = index + 1 < arguments.count ? arguments[index + 1] : nil
      if argument == "--require", next.flatMap(FactRequirement.init) == nil { completed.append(holdWord) }
    }
    return completed
  }
}
