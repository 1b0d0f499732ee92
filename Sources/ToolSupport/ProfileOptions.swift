import ArgumentParser
import Foundation
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

  /// Prints the phases on standard error, if asked for and not `asJSON`.
  public func print(asJSON: Bool) {
    guard profile, !asJSON else { return }
    for line in lines { printNotice(line) }
  }

  /// The result with the phases as a field `profile`, if asked for.
  public func adding(to result: JSON) -> JSON {
    guard profile, var object = result.objectValue else { return result }
    object["profile"] = json
    return .object(object)
  }

  private var json: JSON {
    [
      "seconds": .double(Profile.secondsElapsed),
      "phases": .array(
        Profile.phases().map {
          [
            "phase": JSON($0.name), "depth": .integer($0.depth), "calls": .integer($0.calls),
            "seconds": .double($0.seconds), "operations": .double($0.operations),
          ]
        }),
    ]
  }

  private var lines: [String] {
    let total = Profile.secondsElapsed
    var table = TextTable([
      ("phase", .left), ("calls", .right), ("seconds", .right), ("share", .right), ("GFLOP", .right),
      ("GFLOP/s", .right),
    ])
    for phase in Profile.phases() {
      table.append([
        String(repeating: "  ", count: phase.depth) + phase.name, String(phase.calls),
        String(format: "%.3f", phase.seconds), String(format: "%.1f%%", 100 * phase.seconds / total),
        phase.operations > 0 ? String(format: "%.2f", phase.operations * 1e-9) : "",
        phase.operations > 0 ? String(format: "%.0f", phase.operations * 1e-9 / phase.seconds) : "",
      ])
    }
    table.append(["in all", "", String(format: "%.3f", total), "", "", ""])
    return table.lines
  }
}
