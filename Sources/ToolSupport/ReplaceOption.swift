import ArgumentParser

/// Whether a patch that has the output's name already is replaced.
public struct ReplaceOption: ParsableArguments {
  @Flag(name: .customLong("force"), help: "Replace the patch that is there under the output's name.")
  public var isAllowed = false

  public init() {}
}
