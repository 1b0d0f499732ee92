import ArgumentParser
import Foundation

/// Which signatures a tool asks for before it takes a patch.
public struct PolicyOption: ParsableArguments {
  @Option(
    name: .customLong("policy"),
    help: "Who must have signed: a policy file (default: the one that ERRATA_POLICY names, if it is set).")
  private var option: String?

  public init() {}

  /// Whether the option is on the command line.
  public var isGiven: Bool { option != nil }

  /// The policy's path; nil if no signature is asked for.
  public var path: String? {
    option ?? Self.ofEnvironment
  }

  /// The policy that `ERRATA_POLICY` names, for tools that have no `--policy`: they take no patch, but say that what
  /// they make is not signed.
  public static var ofEnvironment: String? {
    let path = ProcessInfo.processInfo.environment["ERRATA_POLICY"]
    return path == "" ? nil : path
  }
}
