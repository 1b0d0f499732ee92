import Foundation
import Synchronization
import Tensors
import Testing

extension ToolTests {
  /// Ctrl-C keeps what was done, and the same command goes on to the same result.
  @Suite struct Interruptions {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Runs a tool that is to be interrupted: again, if on a busy machine the signal came when the work was done.
    private func interrupted(_ output: String, _ run: () throws -> ToolResult) throws -> ToolResult {
      for _ in 0..<10 {
        let result = try run()
        if result.exitCode != 0 { return result }
        try scratch.remove(output)
      }
      return try run()
    }

    @Test func secondMomentsGoOn() throws {
      func collect(_ output: String, interruptWhen: ((Int32) -> Bool)? = nil) throws -> ToolResult {
        try scratch.errata(
          "stats", "samples/model", "--text", "samples/corpus.txt", "--tokens", "30000", "--layers", "0-1",
          "--sequence-length", "128", "-o", output, interruptWhen: interruptWhen)
      }
      let whole = try collect("whole.safetensors")
      #expect(whole.exitCode == 0, "\(whole.errors)")

      let broken = try interrupted("parts.safetensors") {
        try collect("parts.safetensors", interruptWhen: Tool.catchesInterrupts)
      }
      #expect(broken.exitCode == 1)
      #expect(broken.output == "")
      let message = try #require(
        broken.errors.wholeMatch(
          of: #/errata stats: interrupted after ([0-9]+) tokens, kept in (\S+); run the same command to continue\n/#))
      #expect(message.2 == "parts.safetensors.partial")
      let counted = try #require(Int(message.1))
      #expect(counted > 0 && counted < 30000)
      #expect(try scratch.names() == ["parts.safetensors.partial", "samples", "whole.safetensors"])

      let continued = try collect("parts.safetensors")
      #expect(continued.exitCode == 0, "\(continued.errors)")
      #expect(try scratch.names() == ["parts.safetensors", "samples", "whole.safetensors"])
      #expect(try scratch.bytes("parts.safetensors") == scratch.bytes("whole.safetensors"))
    }

    @Test func secondMomentsOfAnotherRunAreNotMixedIn() throws {
      let arguments = ["stats", "samples/model", "--text", "samples/corpus.txt", "-o", "x", "--layers", "1"]
      let broken = try interrupted("x") {
        try Tool.errata(arguments, in: scratch.path, interruptWhen: Tool.catchesInterrupts)
      }
      #expect(broken.exitCode == 1)
      try scratch.fail(
        arguments + ["--sequence-length", "64"], exitCode: 1,
        message: "errata stats: x.partial: is the rest of an interrupted run with another sequence length; "
          + "delete it to start anew")
    }

    /// At whatever point Ctrl-C comes, a change of a checkpoint is taken back at once, or it is done.
    @Test(arguments: FaultScenario.main) func aChangeIsTakenBack(scenario: FaultScenario) throws {
      let rehearsed = try RehearsedScenario(scenario)
      let counts = Mutex((takenBack: 0, done: 0))
      try FaultInjector.forEach(rehearsed.points) { point in
        let scratch = try rehearsed.scratch()
        let result = try FaultInjector.run(scenario.command, .interrupt, at: point.number, in: scratch, under: "w")
        let found = try scratch.tree("w")
        if result.exitCode == 0 {
          #expect(found == rehearsed.after, "\(point)")
          counts.withLock { $0.done += 1 }
        } else if result.exitCode == 130 {
          // The patch is being copied: nothing has begun, and Ctrl-C ends the tool as it does any other.
          #expect(point.number <= 3 && result.errors == "" && found == rehearsed.before, "\(point)")
        } else {
          let title = scenario.command[0] == "apply" ? "applying" : "reverting"
          #expect(result.exitCode == 1 && result.output == "", "\(point): \(result.exitCode)")
          #expect(
            result.errors == "errata \(scenario.command[0]): \(title): interrupted; nothing was changed\n", "\(point)")
          #expect(found == rehearsed.before, "\(point)")
          counts.withLock { $0.takenBack += 1 }
        }
        try rehearsed.expectBase(in: scratch, "\(point)")
      }
      // Progress is asked for with every tensor's last piece, so most points come before that.
      #expect(counts.withLock { $0.takenBack > 5 && $0.done > 5 })
    }

    /// Edits twenty facts, one of which takes longer than the others.
    private func edit(
      _ method: String, _ output: String, interruptWhen: ((Int32) -> Bool)? = nil
    ) throws -> ToolResult {
      try scratch.errata(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-19", "--stats",
        "samples/stats.safetensors", "--method", method, "-o", output, "--json",
        environment: ["SOURCE_DATE_EPOCH": "1700000000"], interruptWhen: interruptWhen)
    }

    /// Expects that an edit was interrupted with some, but not all, of its values found.
    private func expectKept(_ result: ToolResult, _ output: String) throws {
      #expect(result.exitCode == 1)
      let message = try #require(
        result.errors.wholeMatch(
          of:
            #/errata edit: interrupted with ([0-9]+) of 20 values found, kept in (\S+); run the same command to continue\n/#
        ), "\(result.errors)")
      #expect(message.2 == output + ".partial")
      #expect((1..<20).contains(try #require(Int(message.1))))
      #expect(scratch.exists(output + ".partial"))
      #expect(!scratch.exists(output))
    }

    private func expectSamePatch(_ method: String, _ whole: ToolResult, continued output: String) throws {
      let continued = try edit(method, output)
      #expect(continued.exitCode == 0, "\(continued.errors)")
      #expect(!scratch.exists(output + ".partial"))
      #expect(try continued.json["patch"] == whole.json["patch"])
    }

    /// One value after the other.
    @Test func romeGoesOn() throws {
      let whole = try edit("rome", "whole.wpatch")
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let broken = try interrupted("parts.wpatch") {
        try edit("rome", "parts.wpatch", interruptWhen: { _ in scratch.exists("parts.wpatch.partial") })
      }
      try expectKept(broken, "parts.wpatch")
      try expectSamePatch("rome", whole, continued: "parts.wpatch")
    }

    /// All values at once: where their search is, is kept.
    @Test func emmetGoesOn() throws {
      let whole = try edit("emmet", "whole.wpatch")
      #expect(whole.exitCode == 0, "\(whole.errors)")
      let broken = try interrupted("parts.wpatch") {
        try edit("emmet", "parts.wpatch", interruptWhen: Tool.catchesInterrupts)
      }
      #expect(broken.exitCode == 1)
      #expect(
        broken.errors
          == "errata edit: interrupted with 0 of 20 values found, kept in parts.wpatch.partial; run the same command "
          + "to continue\n")
      #expect(try scratch.names() == ["parts.wpatch.partial", "samples", "whole.wpatch"])
      try expectSamePatch("emmet", whole, continued: "parts.wpatch")
    }

    @Test func aDamagedRestIsNamed() throws {
      try scratch.write("neither sums nor values", to: "x.partial")
      try scratch.fail(
        "stats", "samples/model", "--text", "samples/corpus.txt", "-o", "x", exitCode: 6,
        message: "errata stats: x.partial: is the rest of an interrupted run, and damaged; delete it to start anew")
      try scratch.fail(
        "edit", "samples/model", "--facts", "samples/facts.json", "--stats", "samples/stats.safetensors", "-o", "x",
        exitCode: 6,
        message: "errata edit: x.partial: is the rest of an interrupted run, and damaged; delete it to start anew")
    }
  }
}
