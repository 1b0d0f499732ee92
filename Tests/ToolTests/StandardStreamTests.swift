import Foundation
import Testing

extension ToolTests {
  /// Standard streams that are full, closed, or a pipe that nobody reads any more.
  @Suite struct StandardStreams {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func shell(_ command: String) throws -> ToolResult {
      try Tool.run("/bin/sh", ["-c", "PATH='\(Tool.folder)':$PATH; \(command)"], in: scratch.path)
    }

    private func message(_ tool: String, _ reason: String) -> String {
      "\(tool): standard output: cannot write: \(reason); the answer is incomplete, all else was done\n"
    }

    static let commands = [
      ("errata show", "samples/five-facts.wpatch"), ("errata show", "samples/five-facts.wpatch --json"),
      ("errata show", "samples/five-facts.wpatch --tradeoff"), ("errata show", "--help"), ("errata", "--help"),
      ("errata", "help"), ("errata", "--version"), ("errata verify", "samples/five-facts.wpatch"),
      ("errata apply", "samples/model samples/five-facts.wpatch --dry-run"),
      ("errata ask", "samples/model --tokens 1 Hello"),
    ]

    @Test(arguments: commands) func aFullOutputIsAnError(tool: String, arguments: String) throws {
      let result = try shell("\(tool) \(arguments) >/dev/full")
      #expect(result.exitCode == 1)
      #expect(result.errors == message(tool, "no space left on device"))
    }

    @Test(arguments: commands) func aClosedOutputIsAnError(tool: String, arguments: String) throws {
      let result = try shell("\(tool) \(arguments) >&-")
      #expect(result.exitCode == 1)
      #expect(result.errors == message(tool, "bad file descriptor"))
    }

    /// An exit code that says more stays.
    @Test func theExitCodeStays() throws {
      #expect(try shell("errata >/dev/full").exitCode == 2)
      let result = try shell("errata show samples/facts.json >/dev/full")
      #expect(result.exitCode == 6)
      #expect(result.errors.filter(\.isNewline).count == 1)
    }

    /// The file that is opened next must not become standard output.
    @Test func closedStreamsSpoilNothing() throws {
      try scratch.copyModel()
      try scratch.copyModel(to: "expected")
      try scratch.succeed("apply", "expected", "samples/five-facts.wpatch", "--in-place", "--quiet")
      let result = try shell("errata apply model samples/five-facts.wpatch --in-place --quiet >&-")
      #expect(result.exitCode == 1)
      #expect(result.errors == message("errata apply", "bad file descriptor"))
      #expect(try scratch.bytes("model/model.safetensors") == scratch.bytes("expected/model.safetensors"))
      try scratch.succeed("verify", "model", "--base", "samples/model")
      let silent = try shell("errata revert model --in-place <&- >/dev/null 2>&-")
      #expect(silent.exitCode == 0)
      try scratch.expectSampleModel("model")
    }

    @Test func noticesThatCannotBeWrittenAreNoError() throws {
      for target in ["/dev/full", "&-"] {
        #expect(try shell("errata show nothing 2>\(target)").exitCode == 1)
        #expect(try shell("errata xyzzy 2>\(target)").exitCode == 2)
      }
    }

    @Test func aReaderThatLeavesEndsItQuietly() throws {
      let result = try shell(
        "{ sleep 0.2; errata show samples/five-facts.wpatch; echo $? >code; } | true; sleep 0.5; "
          + "while ! test -s code; do sleep 0.1; done; cat code")
      #expect(result.output == "141\n")
      #expect(result.errors == "")
    }

    @Test func namesTheToolThatWasCalled() throws {
      try scratch.write("no patch", to: "x")
      try scratch.fail(
        "show", "x", "--tradeoff", exitCode: 6,
        message: "errata show: x: is not a .wpatch file, or its first bytes are damaged")
    }

    @Test(arguments: [
      ("ERRATA_THREADS", "abc", "a number of threads, 1 or more"),
      ("ERRATA_THREADS", "0", "a number of threads, 1 or more"),
      ("ERRATA_THREADS", "-1", "a number of threads, 1 or more"),
      ("SOURCE_DATE_EPOCH", "abc", "a number of seconds since 1970"),
      ("SOURCE_DATE_EPOCH", "-1", "a number of seconds since 1970"),
      ("SOURCE_DATE_EPOCH", "1e99", "a number of seconds since 1970"),
      ("SOURCE_DATE_EPOCH", "999999999999999", "a number of seconds since 1970"),
    ]) func refusesWhatItWouldIgnore(variable: String, value: String, wanted: String) throws {
      let result = try scratch.errata("show", "samples/five-facts.wpatch", environment: [variable: value])
      #expect(result.exitCode == 2)
      #expect(result.errors == "errata show: \(variable): '\(value)' is not \(wanted); set another, or none\n")
      #expect(try scratch.errata("show", "--help", environment: [variable: value]).exitCode == 0)
      try scratch.succeed("show", "samples/five-facts.wpatch", environment: [variable: ""])
    }

    @Test func anEmptyPathIsShown() throws {
      try scratch.fail(
        "apply", "samples/model", "", "-o", "out", exitCode: 1,
        message: "errata apply: '': cannot open: no such file or directory")
      try scratch.fail(
        "apply", "", "samples/five-facts.wpatch", "-o", "out", exitCode: 1,
        message: "errata apply: '': no such file or directory; give a checkpoint directory or a .safetensors file")
    }

    @Test func aDirectoryIsNoPatch() throws {
      for command in [
        ["apply", "samples/model", "samples", "-o", "out"], ["drop", "samples", "--fact", "x", "-o", "out"],
        ["stack", "samples", "samples", "-o", "out"],
      ] {
        try scratch.fail(
          command, exitCode: 1, message: "errata \(command[0]): samples: is a directory; name a .wpatch file")
      }
    }
  }
}
