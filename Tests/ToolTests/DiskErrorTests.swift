import Foundation
import Testing

extension ToolTests {
  /// A disk that is full, cannot be written to, or fails: one line that says so, exit code 1, and the checkpoint as it
  /// was.
  @Suite struct DiskErrors {
    /// Where the change has begun, and cannot be taken back now, or is made already, the next command goes on with
    /// that.
    private func expectError(
      _ rehearsed: RehearsedScenario, _ error: String, _ text: String, goesOn: Bool, at point: FaultInjector.Point
    ) throws {
      let scratch = try rehearsed.scratch()
      let command = rehearsed.scenario.command
      let result = try FaultInjector.run(
        command, .fail(error, goesOn: goesOn), at: point.number, in: scratch, under: "w")
      let remark = "\(error) at \(point)"
      if result.exitCode == 0 {
        // Not needed: a clone that becomes a copy, a second name, or what the next change clears away.
        let optional: Set<Substring> = ["ioctl", "link", "unlink", "rmdir"]
        #expect(optional.contains(point.call), "\(remark): was not noticed")
        #expect(result.errors == rehearsed.notices, "\(remark)")
        return try rehearsed.expectState(in: scratch, allowsBefore: false, remark)
      }
      #expect(result.exitCode == 1 && result.output == "", "\(remark): \(result.exitCode)")
      #expect(
        result.errors.hasPrefix("errata \(command[0]): ") && result.errors.contains(": \(text)")
          && result.errors.filter(\.isNewline).count == 1, "\(remark): \(result.errors)")
      // Files are named as the user knows them.
      #expect(!result.errors.contains(".errata-partial"), "\(remark): \(result.errors)")
      let isCommitted = result.errors.contains(/goes on with it|the change is made/)
      let isBegun = result.errors.contains("the next errata command takes it back")
      // Both what stopped the change and what stopped its taking back are told.
      let words = "; then, taking the change back, "
      #expect(isBegun == result.errors.contains(words), "\(remark): \(result.errors)")
      #expect(!isBegun || result.errors.ranges(of: ": \(text)").count == 2, "\(remark): \(result.errors)")
      if !isCommitted && !isBegun {
        let found = try scratch.tree("w")
        #expect(found == rehearsed.before, "\(remark): \(found.keys.filter { rehearsed.before[$0] == nil })")
      }
      try rehearsed.expectState(in: scratch, allowsBefore: !isCommitted, allowsAfter: !isBegun, remark)
    }

    @Test(arguments: FaultScenario.main) func full(scenario: FaultScenario) throws {
      let rehearsed = try RehearsedScenario(scenario)
      let removing: Set<Substring> = ["unlink", "rmdir", "chmod", "fchmod"]
      try FaultInjector.forEach(rehearsed.points.filter { !removing.contains($0.call) }) { point in
        try expectError(rehearsed, "ENOSPC", "no space left on device", goesOn: true, at: point)
      }
    }

    @Test(arguments: FaultScenario.main) func failing(scenario: FaultScenario) throws {
      let rehearsed = try RehearsedScenario(scenario)
      try FaultInjector.forEach(rehearsed.points) { point in
        try expectError(rehearsed, "EIO", "input/output error", goesOn: false, at: point)
      }
    }

    @Test(
      arguments: FaultScenario.main, [("EROFS", "read-only file system"), ("EACCES", "permission denied")])
    func readOnly(scenario: FaultScenario, error: (name: String, text: String)) throws {
      let rehearsed = try RehearsedScenario(scenario)
      try expectError(rehearsed, error.name, error.text, goesOn: true, at: rehearsed.points[0])
    }
  }
}
