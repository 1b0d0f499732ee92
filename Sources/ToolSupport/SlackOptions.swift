import ArgumentParser

/// How much slack a patch is solved again with.
public struct SlackOptions: ParsableArguments {
  public enum Method: String, ExpressibleByArgument, Sendable {
    case memit
    case emmet
  }

  @Option(parsing: .unconditional, help: "The new slack.")
  public var lambda: Double?

  @Option(help: "memit (lambda = w) or emmet (lambda = alpha w, 0 for one fact), instead of --lambda.")
  public var method: Method?

  @Option(parsing: .unconditional, help: "EMMET's slack as a share of w.")
  public var alpha: Double?

  @Option(
    name: [.customShort("w"), .customLong("weight"), .long], parsing: .unconditional,
    help: "w, the weight of ordinary text.")
  public var secondMomentWeight: Double?

  public init() {}

  public var areGiven: Bool { lambda != nil || method != nil || alpha != nil || secondMomentWeight != nil }

  /// - Throws: a usage error for a number that is negative or not finite.
  public func validate() throws {
    for (value, name) in [(lambda, "--lambda"), (alpha, "--alpha"), (secondMomentWeight, "--second-moment-weight")] {
      if let value, !(value >= 0) || !value.isFinite { throw ValidationError("\(name) must be zero or more") }
    }
  }

  /// The slack that was asked for, made by what fits.
  ///
  /// - Throws: a usage error if the options do not say exactly one.
  public func choice<Slack>(
    lambda makeLambda: (Double) -> Slack, memit: (_ weight: Double) -> Slack,
    emmet: (_ alpha: Double, _ weight: Double) -> Slack
  ) throws -> Slack {
    switch (lambda, method, alpha, secondMomentWeight) {
    case (let lambda?, nil, nil, nil): return makeLambda(lambda)
    case (nil, .memit?, nil, let weight?): return memit(weight)
    case (nil, .emmet?, let alpha?, let weight?): return emmet(alpha, weight)
    default: throw ValidationError("give --lambda, or --method memit with -w, or --method emmet with --alpha and -w")
    }
  }
}
