import ArgumentParser

/// The slack in the user's terms, from which lambda follows.
public struct SlackGoalOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "Instead of lambda: how much of ordinary text's output may be disturbed, like 5% (E |D k|^2 of E |W k|^2).")
  var budget: Share?

  @Option(
    parsing: .unconditional,
    help: "Instead of lambda: what facts may lack of what they ask for, like 20% (|D K - R| of |R|).")
  var short: Share?

  public init() {}

  public var areGiven: Bool { budget != nil || short != nil }

  public func validate() throws {
    if budget != nil && short != nil { throw ValidationError("--budget and --short exclude each other") }
  }

  /// What was asked for, made by what fits; nil for nothing.
  public func goal<Goal>(budget makeBudget: (Double) -> Goal, short makeShort: (Double) -> Goal) -> Goal? {
    budget.map { makeBudget($0.value) } ?? short.map { makeShort($0.value) }
  }
}

/// A share of a whole, above 0 and below 1: `5%` or `0.05`.
struct Share: ExpressibleByArgument {
  let value: Double

  init?(argument: String) {
    let isPercent = argument.hasSuffix("%")
    guard let number = Double(isPercent ? String(argument.dropLast()) : argument) else { return nil }
    value = isPercent ? number / 100 : number
    guard value > 0, value < 1 else { return nil }
  }
}
