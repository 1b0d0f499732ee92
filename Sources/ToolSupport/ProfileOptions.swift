import ArgumentParser
import Tensors

/// `--profile`, for the tools that compute.
public struct ProfileOptions: ParsableArguments {
  @Flag(help: "Print on standard error where the time went; with --json, in the result.")
  public var profile = false

  public init() {}

  /// To be called first in `run`.
  public func start() {
    if profile { Profile.start() }
  }

  /// What was measured since `start`, if it was asked for.
  public var report: ProfileReport? { profile ? ProfileReport() : nil }
}
