import Foundation
import Safetensors
import Tensors
import Testing

extension ToolTests {
  /// The main job, with every method: second moments, edit, show, apply, ask, eval, revert.
  @Suite struct EndToEnd {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func edit(_ records: String, _ options: [String], to output: String) throws -> JSON {
      let arguments = [
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", records, "--json", "--quiet", "-o",
        output,
      ]
      let statistics = options.contains("--stats") ? [] : ["--stats", "samples/stats.safetensors"]
      let result = try Tool.errata(
        arguments + statistics + options, in: scratch.path, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
      try #require(result.exitCode == 0, "\(result.errors)")
      #expect(result.errors == "")
      return try result.json
    }

    @Test(arguments: [
      ["--method", "emmet"], ["--method", "memit"], ["--method", "rome"], ["--method", "rome", "--published-rome"],
    ])
    func editsAndTakesBack(method: [String]) throws {
      let report = try edit("0-2", method, to: "fix.wpatch")
      #expect(report["output"] == "fix.wpatch")
      #expect(report["bytes"]?.integerValue == (try scratch.bytes("fix.wpatch").count))
      #expect(report["facts"]?.arrayValue?.map { $0["target_new"] } == ["Italy", "French", "baseball"])
      #expect(try scratch.names() == ["fix.wpatch", "samples"])

      let shown = try scratch.succeed("show", "fix.wpatch", "--json").json
      #expect(shown["patch"] == report["patch"])
      #expect(shown["manifest"]?["created"] == "2023-11-14T22:13:20Z")
      let batches = try #require(shown["manifest"]?["batches"]?.arrayValue)
      #expect(batches.count == (method[1] == "rome" ? 3 : 1))
      #expect(batches[0]["method"]?["name"]?.stringValue == method[1])
      #expect(batches[0]["method"]?["layers"] == (method[1] == "memit" ? [0, 1, 2] : [1]))
      let lines = try scratch.succeed("show", "fix.wpatch").output
      #expect(lines.hasPrefix("patch       \(report["patch"]!.stringValue!)\nfile        fix.wpatch, "))
      #expect(lines.contains(#/Leo Tolstoy +The mother tongue of \{\} is +Russian -> French +0\.0% /#))

      try scratch.succeed("apply", "samples/model", "fix.wpatch", "-o", "edited", "--quiet")
      try expectResultDigests(of: shown, in: "edited")
      try asks()
      try evaluates()

      try scratch.succeed("revert", "edited", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    /// The digests that the patch promises are those of the tensors that were written.
    private func expectResultDigests(of shown: JSON, in checkpoint: String) throws {
      let promised = try #require(shown["manifest"]?["result"]?.objectValue)
      let written = try Checkpoint(path: scratch(checkpoint))
      #expect(promised.count > 0)
      for (tensor, digest) in promised.members {
        #expect(try written.digest(of: tensor).description == digest.stringValue, "\(tensor)")
      }
    }

    private func asks() throws {
      let prompt = "The mother tongue of Leo Tolstoy is"
      let before = try scratch.succeed("ask", "samples/model", prompt, "--tokens", "1", "--plain").output
      #expect(before == prompt + " Russian\n")
      #expect(try scratch.succeed("ask", "edited", prompt, "-t", "1", "--plain").output == prompt + " French\n")

      let both = try scratch.succeed("ask", "edited", prompt, "The Eiffel Tower is located in the country of", "--json")
      let answers = try #require(try both.json.arrayValue)
      #expect(answers.map { $0["continuation"]!.stringValue!.prefix(6) } == [" Frenc", " Italy"])
      #expect(answers[0]["tokens"]?.arrayValue?.count == 8)
      #expect(try #require(answers[0]["tokens"]?.arrayValue?[0]["probability"]?.doubleValue) > 0.5)
      // Greedy answers do not depend on what is asked beside them.
      let table = try scratch.succeed("ask", "edited", prompt).output
      #expect(table.hasPrefix(prompt + answers[0]["continuation"]!.stringValue! + "\n  French "))

      let drawn = try (0...1).map { seed in
        try (0..<2).map { _ in
          try scratch.succeed(
            "ask", "edited", "The", "--temperature", "2", "--seed", "\(seed)", "--tokens", "30", "--plain"
          ).output
        }
      }
      #expect(drawn[0][0] == drawn[0][1])
      #expect(drawn[0][0] != drawn[1][0])
    }

    private func evaluates() throws {
      let facts = ["samples/facts.json", "--records", "0-2"]
      let result = try scratch.succeed(
        "eval", "samples/model", "edited", "--facts", facts[0], facts[1], facts[2], "--json")
      let rows = try #require(try result.json.arrayValue)
      #expect(rows.map { $0["model"] } == ["samples/model", "edited"])
      #expect(rows.map { $0["summary"]?["ES"] } == [0.0, 100.0])
      #expect(rows.map { $0["cases"]?.arrayValue?.count } == [3, 3])
      let table = try scratch.succeed("eval", "samples/model", "edited", "--facts", facts[0], facts[1], facts[2])
      let cells = table.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
      #expect(cells[0] == ["metric", "samples/model", "edited", "change"])
      #expect(cells[1] == ["facts,", "3", "records"])
      #expect(cells[2] == ["ES", "0.0", "±", "0.0", "100.0", "±", "0.0", "+100.0"])
    }

    @Test func theSameCommandGivesTheSamePatch() throws {
      let first = try edit("3-5", ["--method", "memit"], to: "first.wpatch")
      let second = try edit("3-5", ["--method", "memit"], to: "second.wpatch")
      #expect(first["patch"] == second["patch"])
      #expect(try scratch.bytes("first.wpatch") == scratch.bytes("second.wpatch"))
      let other = try edit("3-5", ["--method", "memit", "--seed", "1"], to: "other.wpatch")
      #expect(other["patch"] != first["patch"])
    }

    @Test func editsWithItsOwnSecondMoments() throws {
      let made = try scratch.succeed(
        "stats", "samples/model", "--text", "samples/corpus.txt", "--tokens", "4000", "--layers", "1",
        "--sequence-length", "128", "-o", "few.safetensors", "--json")
      #expect(try made.json["token_count"] == 4096)
      #expect(try made.json["layers"] == [1])
      #expect(made.errors == "")
      let report = try edit("0", ["--stats", "few.safetensors"], to: "fix.wpatch")
      #expect(try #require(report["facts"]?.arrayValue?[0]["probability_after"]?.doubleValue) > 0.9)
      let shown = try scratch.succeed("show", "fix.wpatch", "--json").json
      let statistics = shown["manifest"]?["batches"]?.arrayValue?[0]["statistics"]
      #expect(statistics?["sha256"] == (try made.json["digest"]))
      #expect(statistics?["tokens"] == 4096)
    }

    @Test func whatIsAppliedOrRevertedAlreadyIsLeftAlone() throws {
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "edited")
      let again = try scratch.succeed("apply", "edited", "samples/eiffel-tower.wpatch", "-o", "twice")
      #expect(again.output == "already applied: eiffel-tower.wpatch (9212b2e27263)\ntwice: copied, no change\n")
      for file in ["model.safetensors", ".errata/ledger.json"] {
        #expect(try scratch.bytes("twice/\(file)") == scratch.bytes("edited/\(file)"))
      }
      let none = try scratch.succeed("revert", "samples/model", "-o", "restored")
      #expect(
        none.output
          == "samples/model: has no ledger, so no patch is recorded as applied\nrestored: copied, no change\n")
      try scratch.expectSampleModel("restored")
      #expect(try scratch.names() == ["edited", "restored", "samples", "twice"])
      try scratch.copyModel()
      for option in ["--in-place", "--dry-run"] {
        let answer = try scratch.succeed("revert", "model", option).output
        #expect(answer == "model: has no ledger, so no patch is recorded as applied\nnothing written\n")
      }
    }

    @Test func inPlace() throws {
      try scratch.copyModel()
      try scratch.succeed("apply", "model", "samples/five-facts.wpatch", "--in-place", "--quiet")
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "edited", "--quiet")
      #expect(try scratch.bytes("model/model.safetensors") == scratch.bytes("edited/model.safetensors"))
      try scratch.succeed("revert", "model", "--in-place", "--quiet")
      try scratch.expectSampleModel("model")
    }

    /// Neither a checkpoint that shares the file nor one that is linked to changes.
    @Test(arguments: ["-l", "-s"]) func inPlaceOfLinkedFiles(option: String) throws {
      try scratch.copyModel()
      let file = "linked/model.safetensors"
      let copied = try Tool.run(
        "/bin/cp", ["-r", option, scratch("model"), scratch("linked")], in: scratch.path)
      #expect(copied.exitCode == 0)
      let result = try scratch.succeed("apply", "linked", "samples/five-facts.wpatch", "--in-place", "--quiet")
      #expect(
        result.errors
          == "note: \(file): was a link or had other names, so it was copied first; under those the file is as it was\n"
      )
      try scratch.expectSampleModel("model")
      try scratch.succeed("verify", "linked", "--base", "model")
      try scratch.fail(
        "verify", file, exitCode: 2, message: "errata verify: \(file): is a part of the checkpoint linked; name that")
      let again = try scratch.succeed("revert", "linked", "--in-place", "--quiet", "--json")
      #expect(again.errors == "")
      #expect(try again.json["result"]?["copied_files"] == [])
      try scratch.expectSampleModel("linked")
    }

    @Test func aDryRunWritesNothing() throws {
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "edited", "--dry-run")
      #expect(try scratch.names() == ["samples"])
    }
  }
}

extension Scratch {
  /// Expects a checkpoint that is the sample model, byte for byte, with no file more.
  func expectSampleModel(_ name: String, at location: SourceLocation = #_sourceLocation) throws {
    try expectSameFiles(name, "samples/model", at: location)
  }

  func expectSameFiles(_ left: String, _ right: String, at location: SourceLocation = #_sourceLocation) throws {
    #expect(try names(in: left) == names(in: right), sourceLocation: location)
    for file in try names(in: right) {
      let same = try bytes("\(left)/\(file)") == bytes("\(right)/\(file)")
      #expect(same, "\(left)/\(file)", sourceLocation: location)
    }
  }
}
