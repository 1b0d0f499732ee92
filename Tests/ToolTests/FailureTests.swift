import Foundation
import Tensors
import Testing
import ToolSupport

extension ToolTests {
  /// What `--json` prints of a failure.
  @Suite struct Failures {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let inputs: [[String]] = {
      let facts = ["--facts", "samples/facts.json", "--stats", "samples/stats.safetensors"]
      return [
        ["apply", "samples/model", "nowhere", "-o", "o"], ["ask", "nowhere", "x"],
        ["compact", "nowhere", "--rank", "1", "-o", "o"], ["diff", "nowhere", "nowhere"],
        ["drop", "nowhere", "--fact", "x", "-o", "o"], ["edit", "nowhere", "-o", "o"] + facts,
        ["eval", "nowhere", "--facts", "samples/facts.json"], ["keygen", "-o", "nowhere/key"],
        ["resolve", "nowhere", "--lambda", "1", "-o", "o"], ["revert", "nowhere", "-o", "o"], ["show", "nowhere"],
        ["show", "nowhere", "--tradeoff"], ["sign", "nowhere", "--remove-all"],
        ["stack", "nowhere", "nowhere", "-o", "o"], ["stats", "nowhere", "--text", "samples/facts.json", "-o", "o"],
        ["stats", "show", "nowhere"], ["stats", "merge", "nowhere", "nowhere", "-o", "o"],
        ["stats", "factor", "nowhere"], ["stats", "import", "samples/model", "nowhere", "--layers", "1", "-o", "o"],
        ["trace", "nowhere", "x"], ["tune", "nowhere"] + facts, ["verify", "nowhere"],
      ]
    }()

    /// - Returns: the error, checked against the line on standard error and the exit code.
    private func error(_ arguments: [String], at location: SourceLocation = #_sourceLocation) throws -> JSON {
      let result = try Tool.errata(arguments, in: scratch.path)
      let answer = try #require(
        try? result.json, "errata \(arguments): \(result.output)\(result.errors)", sourceLocation: location)
      #expect(answer.objectValue?.keys == ["error", "version"] && answer["version"] == 1, sourceLocation: location)
      let error = try #require(answer["error"], sourceLocation: location)
      #expect(error["exit_code"] == .integer(Int(result.exitCode)), sourceLocation: location)
      let line = try #require(result.errors.split(separator: "\n").last, sourceLocation: location)
      #expect(
        line.hasPrefix("errata \(arguments[0])")
          && line.hasSuffix(": \(printable(error["message"]?.stringValue ?? "?"))"),
        sourceLocation: location)
      return error
    }

    @Test(arguments: inputs)
    func aMissingFile(arguments: [String]) throws {
      let error = try error(arguments + ["--json"])
      #expect(error["kind"] == "general")
      let subjects = (error["subject"]?.arrayValue ?? []).compactMap(\.stringValue)
      #expect(subjects.contains { $0.hasPrefix("nowhere") || $0.hasSuffix("/nowhere") }, "\(error)")
    }

    @Test(arguments: inputs)
    func aMistakenArgument(arguments: [String]) throws {
      let error = try error(arguments + ["--no-such-option", "--json"])
      #expect(error["kind"] == "usage" && error["subject"] == [] && error["cause"] == .null)
      #expect(error["problem"]?.stringValue?.hasPrefix("Unknown option '--no-such-option'") == true)
      let name = arguments.prefix { ["stats", "merge", "factor", "import"].contains($0) || $0 == arguments[0] }
      #expect(error["remedy"]?.stringValue?.hasPrefix("see 'errata \(name.joined(separator: " "))") == true)
    }

    @Test func theFrontDoor() throws {
      let error = try #require(try scratch.errata("xyzzy", "--json").json["error"])
      #expect(error["kind"] == "usage" && error["message"] == "'xyzzy' is not a command (see 'errata --help')")
    }

    @Test func everyKind() throws {
      let patch = "samples/eiffel-tower.wpatch"
      let general = try error(["show", "nowhere", "--json"])
      let expected: JSON = [
        "kind": "general", "exit_code": 1, "subject": ["nowhere"], "context": .null, "place": [],
        "problem": "cannot open", "cause": "no such file or directory", "outcome": .null, "remedy": .null,
        "message": "nowhere: cannot open: no such file or directory",
      ]
      #expect(general == expected)
      #expect(try error(["apply", "samples/model", patch, "--json"])["kind"] == "usage")
      try scratch.spoilWeight(ofLayer: 1)
      #expect(try error(["apply", "model", patch, "-o", "o", "--json"])["kind"] == "base_mismatch")
      try scratch.write(
        "prompt,target\nThe {Eiffel Tower} is in,Rome\n{The Eiffel Tower} is in,Oslo\n", to: "facts.csv")
      let edit = ["edit", "samples/model", "--stats", "samples/stats.safetensors", "-o", "o", "--facts"]
      #expect(try error(edit + ["facts.csv", "--json"])["kind"] == "conflict")
      try scratch.succeed("keygen", "-o", "k")
      try scratch.write(#"{"version": 1, "keys": [{"file": "k.pub"}]}"#, to: "policy.json")
      let unsigned = try error(["apply", "samples/model", patch, "-o", "o", "--policy", "policy.json", "--json"])
      #expect(unsigned["kind"] == "verification" && unsigned["exit_code"] == 5)
      try scratch.write(scratch.bytes(patch).dropLast(), to: "bad.wpatch")
      let damaged = try error(["apply", "samples/model", "bad.wpatch", "-o", "o", "--json"])
      #expect(damaged["kind"] == "damaged_input" && damaged["subject"] == ["bad.wpatch"])
      #expect(damaged["remedy"] == "fetch it again")
    }

    /// A report is an answer also if it says that something is not as it should be.
    @Test func anAnswerIsNotFollowedByAnError() throws {
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "edited", "--quiet")
      let failed = try scratch.errata("verify", "samples/model", "--base", "edited", "--json", "--quiet")
      #expect(failed.exitCode == 5)
      #expect(try failed.json["error"] == nil && failed.json["findings"] != nil)
    }

    @Test func severalInputs() throws {
      let patch = "samples/eiffel-tower.wpatch"
      let result = try scratch.errata("show", patch, "nowhere", "samples/model", "--json")
      #expect(result.exitCode == 1)
      let answers = try #require(try result.json.arrayValue)
      #expect(answers.count == 3 && answers[0]["error"] == nil && answers[2]["error"] == nil)
      #expect(answers[1]["error"]?["subject"] == ["nowhere"] && answers[1]["version"] == 1)
    }

    /// A name is quoted as in every answer.
    @Test func namesAreEscaped() throws {
      let error = try error(["show", "no\u{1B}[1m\u{202E}where", "--json"])
      #expect(error["subject"] == ["no\u{1B}[1m\u{202E}where"])
      let text = try scratch.errata("show", "no\u{1B}[1m\u{202E}where", "--json").output
      #expect(text.contains("no\\u001b[1m\\u202ewhere") && !text.contains("\u{1B}"))
    }

    /// Without `--json`, or with it behind `--`, there is the line alone.
    @Test func onlyWhereAskedFor() throws {
      try scratch.fail(
        "show", "nowhere", exitCode: 1, message: "errata show: nowhere: cannot open: no such file or directory")
      #expect(try scratch.errata("show", "--", "--json").output == "")
    }
  }
}
