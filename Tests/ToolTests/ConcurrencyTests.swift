import Foundation
import Testing

extension ToolTests {
  /// Two commands at once, and files that change while they are read.
  @Suite struct Concurrency {
    /// A shell command that runs `errata` in the scratch folder and keeps what it says.
    private func errata(_ scratch: Scratch, _ arguments: String) -> String {
      "cd '\(scratch.path)' && '\(Tool.folder)/errata' \(arguments) >other.output 2>other.errors; echo $? >other.code"
    }

    private func text(_ scratch: Scratch, _ name: String) throws -> String {
      String(decoding: try scratch.bytes(name), as: UTF8.self)
    }

    /// At every point of a change in place, a second change and a reader are turned away.
    @Test(arguments: ["apply w/model samples/eiffel-tower.wpatch --in-place", "revert w/model -o w/x", "show w/model"])
    func whileChangedInPlace(other: String) throws {
      let rehearsed = try RehearsedScenario(FaultScenario.main[0])
      try FaultInjector.forEach(rehearsed.points) { point in
        let scratch = try rehearsed.scratch()
        let result = try FaultInjector.run(
          rehearsed.scenario.command, .run(errata(scratch, other)), at: point.number, in: scratch, under: "w")
        #expect(result.exitCode == 0, "\(point): \(result.errors)")
        #expect(try text(scratch, "other.code") == "4\n", "\(point)")
        let name = other.prefix { $0 != " " }
        #expect(
          try text(scratch, "other.errors")
            == "errata \(name): w/model: is in use by another errata; try again when that is done\n", "\(point)")
        #expect(try scratch.tree("w") == rehearsed.after, "\(point)")
      }
    }

    /// Whoever computes with the weights has them to himself, as far as changes go.
    @Test(arguments: [
      ["ask", "w/model", "Hello", "--tokens", "1"],
      ["eval", "w/model", "--facts", "samples/facts.json", "--records", "0"],
      ["resolve", "samples/five-facts.wpatch", "--lambda", "7", "--base", "w/model", "-o", "x"],
    ]) func readersWait(command: [String]) throws {
      let scratch = try Scratch()
      try scratch.copyModel(to: "w/model")
      let lock = open(scratch("w/model"), O_RDONLY | O_CLOEXEC)
      defer { close(lock) }
      try #require(lock >= 0 && flock(lock, LOCK_EX) == 0)
      try scratch.fail(
        command, exitCode: 4,
        message: "errata \(command[0]): w/model: is in use by another errata; try again when that is done")
    }

    /// While one output is made, others can be, and none clears away what another is making.
    @Test func twoOutputs() throws {
      let rehearsed = try RehearsedScenario(FaultScenario.main[2])
      try FaultInjector.forEach(rehearsed.points) { point in
        let scratch = try rehearsed.scratch()
        let command = errata(scratch, "apply w/model samples/eiffel-tower.wpatch -o w/out2 --quiet")
        let result = try FaultInjector.run(
          rehearsed.scenario.command, .run("export SOURCE_DATE_EPOCH=1700000000; " + command), at: point.number,
          in: scratch, under: "w")
        #expect(result.exitCode == 0, "\(point): \(result.errors)")
        #expect(try text(scratch, "other.errors") == "", "\(point)")
        #expect(try text(scratch, "other.code") == "0\n", "\(point)")
        #expect(try scratch.tree("w/out2") == scratch.tree("w/out"), "\(point)")
        try scratch.remove("w/out2")
        #expect(try scratch.tree("w") == rehearsed.after, "\(point)")
      }
    }

    /// The same output twice at once: one of them is there, whole, and the other command says so.
    @Test(arguments: [2, 3]) func theSameOutputTwice(scenario: Int) throws {
      let rehearsed = try RehearsedScenario(FaultScenario.main[scenario])
      let output = try #require(rehearsed.scenario.output)
      try FaultInjector.forEach(rehearsed.points) { point in
        let scratch = try rehearsed.scratch()
        let command = errata(scratch, rehearsed.scenario.command.joined(separator: " "))
        let result = try FaultInjector.run(
          rehearsed.scenario.command, .run("export SOURCE_DATE_EPOCH=1700000000; " + command), at: point.number,
          in: scratch, under: "w")
        let codes = "\(result.exitCode) \(try text(scratch, "other.code"))"
        #expect(["1 0\n", "0 1\n"].contains(codes), "\(point): \(codes)\(result.errors)")
        let errors = try result.errors + text(scratch, "other.errors")
        #expect(
          errors.contains("\(output): exists already") || errors.contains("\(output).errata: exists already"),
          "\(point): \(errors)")
        #expect(try scratch.tree("w") == rehearsed.after, "\(point)")
      }
    }

    /// Another program cuts a file that is mapped. That is no way to end without a word; and it is said once, although
    /// several threads may be reading the file. Whether they meet is chance: hence several runs.
    @Test(arguments: [0, 2]) func aFileIsCut(scenario: Int) throws {
      let rehearsed = try RehearsedScenario(FaultScenario.main[scenario])
      try FaultInjector.forEach(Array(1...25)) { _ in
        let scratch = try rehearsed.scratch()
        let file = scratch("w/model/second.safetensors")
        let result = try FaultInjector.run(
          rehearsed.scenario.command, .run("truncate -s 5000 '\(file)'"), at: 1, in: scratch, under: "w")
        #expect(result.exitCode == 1)
        #expect(result.output == "")
        #expect(
          result.errors
            == "errata apply: \(file): became shorter, or could not be read, while it was in use; "
            + "check the disk, and try again when no other program writes the file\n")
      }
    }
  }
}
