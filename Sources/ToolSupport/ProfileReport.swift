import Foundation
import Tensors

/// Where the time of a run went.
public struct ProfileReport {
  private let seconds = Profile.secondsElapsed
  private let phases = Profile.phases()

  var json: JSON {
    [
      "seconds": .double(seconds),
      "phases": .array(
        phases.map {
          [
            "phase": JSON($0.name), "depth": .integer($0.depth), "calls": .integer($0.calls),
            "seconds": .double($0.seconds), "operations": .double($0.operations),
          ]
        }),
    ]
  }

  var lines: [String] {
    var table = TextTable([
      ("phase", .left), ("calls", .right), ("seconds", .right), ("share", .right), ("GFLOP", .right),
      ("GFLOP/s", .right),
    ])
    for phase in phases {
      table.append([
        String(repeating: "  ", count: phase.depth) + phase.name, String(phase.calls),
        String(format: "%.3f", phase.seconds), formatPercent(phase.seconds / seconds),
        phase.operations > 0 ? String(format: "%.2f", phase.operations * 1e-9) : "",
        phase.operations > 0 ? String(format: "%.0f", phase.operations * 1e-9 / phase.seconds) : "",
      ])
    }
    table.append(["in all", "", String(format: "%.3f", seconds), "", "", ""])
    return table.lines
  }
}
