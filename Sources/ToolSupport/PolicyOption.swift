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
    if let option { return option }
    let path = ProcessInfo.processInfo.environment["ERRATA_POLICY"]
    return path == "" ? nil : path
  }
}
