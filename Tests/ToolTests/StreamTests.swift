import Foundation
import Testing

extension ToolTests {
  /// `-`, and pipes, where a patch or a facts file goes.
  @Suite struct Streams {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let eiffel = "samples/eiffel-tower.wpatch"

    /// Runs a shell command with `errata` on its PATH.
    private func shell(_ command: String) throws -> ToolResult {
      try Tool.run(
        "/bin/sh", ["-c", "PATH='\(Tool.folder)':\"$PATH\"; \(command)"], in: scratch.path,
        environment: ["SOURCE_DATE_EPOCH": "1770000000"])
    }

    private func succeed(_ command: String, at location: SourceLocation = #_sourceLocation) throws -> ToolResult {
      let result = try shell(command)
      try #require(result.exitCode == 0, "\(command): \(result.errors)", sourceLocation: location)
      return result
    }

    /// From a pipe and from a file that standard input is.
    @Test(arguments: ["cat \(eiffel) | errata %", "errata % < \(eiffel)"]) func patchesComeFromStandardInput(
      _ form: String
    ) throws {
      func piped(_ command: String) throws -> String {
        try succeed(form.replacingOccurrences(of: "%", with: command)).output
      }
      for command in ["show", "verify"] {
        let named = try scratch.succeed(command, Self.eiffel).output
        #expect(
          try piped("\(command) -").replacingOccurrences(of: "standard input", with: Self.eiffel) == named)
      }
      #expect(
        try piped("apply samples/model - -o edited").hasPrefix(
          "applied 1 fact in 1 tensor: standard input (9212b2e27263)\n"))
      try scratch.succeed("verify", "edited", "--base", "samples/model", "--patch", Self.eiffel)
      #expect(try piped("revert edited - -o restored").hasPrefix("reverted 1 fact in 1 tensor: 9212b2e27263"))
      try scratch.expectSampleModel("restored")
      _ = try piped("diff - samples/five-facts.wpatch")
      _ = try piped("stack - samples/five-facts.wpatch -o both.wpatch")
      _ = try piped("compact - --factors i8 -o small.wpatch")
      for made in ["both.wpatch", "small.wpatch"] { try scratch.succeed("verify", made) }
    }

    @Test func toolsAreFilters() throws {
      try scratch.succeed("keygen", "-o", "k")
      _ = try succeed(
        "errata drop samples/five-facts.wpatch --fact Seattle -o - | errata resolve - --lambda 2 -o - "
          + "| errata sign - --key k > made.wpatch")
      try scratch.succeed("verify", "made.wpatch", "--key", "k.pub")
      #expect(try scratch.succeed("show", "made.wpatch").output.contains(", 4 facts ("))
      // What was signed before comes through as it is.
      _ = try succeed("errata sign - --key k < made.wpatch > again.wpatch")
      #expect(try scratch.bytes("again.wpatch") == scratch.bytes("made.wpatch"))
    }

    @Test func standardInputIsReadOnce() throws {
      let result = try shell("errata stack - - -o both.wpatch < \(Self.eiffel)")
      #expect(result.exitCode == 2)
      #expect(
        result.errors == "errata stack: -: standard input can be read only once; name a file for the other\n")
      let empty = try shell(": | errata verify -")
      #expect(empty.exitCode == 6 && empty.errors.hasPrefix("errata verify: standard input: is not a .wpatch"))
    }

    @Test func factsComeFromStandardInput() throws {
      let command = "errata eval samples/model --facts % --records 0-2 --json"
      let piped = try succeed("cat samples/facts.json | " + command.replacingOccurrences(of: "%", with: "-"))
      let named = try succeed(command.replacingOccurrences(of: "%", with: "samples/facts.json"))
      // But for the time that it took.
      let time = #/"seconds": [0-9.]+/#
      #expect(piped.output.replacing(time, with: "") == named.output.replacing(time, with: ""))
      let bad = try shell("echo nonsense | errata eval samples/model --facts -")
      #expect(bad.exitCode != 0 && bad.errors.hasPrefix("errata eval: standard input"))
    }
  }
}
