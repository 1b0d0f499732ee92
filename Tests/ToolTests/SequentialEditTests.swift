import Foundation
import Tensors
import Testing

extension ToolTests {
  /// Edits that are computed on top of others.
  @Suite struct SequentialEdits {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func edit(_ model: String, _ records: String, _ options: [String]) throws -> ToolResult {
      try Tool.errata(
        [
          "edit", model, "--facts", "samples/facts.json", "--records", records, "--stats", "samples/stats.safetensors",
          "--layers", "1", "--quiet",
        ] + options, in: scratch.path, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
    }

    private func made(_ model: String, _ records: String, _ options: String...) throws -> ToolResult {
      let result = try edit(model, records, options)
      try #require(result.exitCode == 0, "\(result.errors)")
      return result
    }

    /// On a checkpoint that carries the parent, in memory or on disk, the same patch comes out, and it is the edit of
    /// what the parent left, not of the base.
    @Test(arguments: ["memit", "emmet", "rome"]) func onTopOfAPatch(method: String) throws {
      _ = try made("samples/model", "0-2", "--method", method, "-o", "first.wpatch")
      try scratch.succeed("apply", "samples/model", "first.wpatch", "-o", "edited", "--quiet")
      _ = try made("edited", "3-4", "--method", method, "-o", "on-disk.wpatch")
      _ = try made("samples/model", "3-4", "--method", method, "--after", "first.wpatch", "-o", "second.wpatch")
      _ = try made("samples/model", "3-4", "--method", method, "-o", "alone.wpatch")

      let (onDisk, second, alone) = (
        try scratch.succeed("show", "on-disk.wpatch", "--json").json,
        try scratch.succeed("show", "second.wpatch", "--json").json,
        try scratch.succeed("show", "alone.wpatch", "--json").json
      )
      let first = try scratch.succeed("show", "first.wpatch", "--json").json
      for patch in [onDisk, second] {
        let parents = patch["manifest"]?["parents"]?.arrayValue ?? []
        #expect(parents.map { $0["patch"] } == [first["patch"]])
        #expect(patch["manifest"]?["base"]?["tensors"] == first["manifest"]?["base"]?["tensors"])
      }
      // The base's name is that of the directory; all else is the same.
      #expect((onDisk["manifest"]?["batches"] == second["manifest"]?["batches"]) == true)
      #expect(onDisk["manifest"]?["result"] == second["manifest"]?["result"])
      func digests(_ patch: JSON) -> [JSON?]? { patch["manifest"]?["batches"]?.arrayValue?.map { $0["digest"] } }
      #expect(digests(second) != digests(alone))

      // What the patch promises is checked by apply; either order of ways gives the same bytes.
      try scratch.succeed("apply", "edited", "second.wpatch", "-o", "one-by-one", "--quiet")
      try scratch.succeed("apply", "samples/model", "first.wpatch", "second.wpatch", "-o", "both", "--quiet")
      #expect(try scratch.bytes("both/model.safetensors") == scratch.bytes("one-by-one/model.safetensors"))
      try scratch.fail(
        "apply", "samples/model", "second.wpatch", "-o", "x", exitCode: 4,
        message: "errata apply: second.wpatch: was computed on top of \(first["patch"]!.stringValue!.prefix(12)), "
          + "not applied here; apply that first (--force applies it all the same)")
      let refused = try Tool.errata(["revert", "both", first["patch"]!.stringValue!, "-o", "x"], in: scratch.path)
      #expect(refused.exitCode == 4)
      try scratch.succeed("revert", "both", "--all", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    @Test func batchByBatch() throws {
      let result = try made("samples/model", "0-4", "--batch-size", "2", "--json", "-o", "all")
      #expect(try scratch.names(in: "all") == ["001.wpatch", "002.wpatch", "003.wpatch"])
      let steps = try #require(try result.json["patches"]?.arrayValue)
      #expect(steps.map { $0["fact_count"]?.integerValue } == [2, 2, 1])
      #expect(steps.map { $0["all"]?["records"]?.integerValue } == [2, 4, 5])
      #expect(steps.map { $0["batch"]?["records"]?.integerValue } == [2, 2, 1])
      let patches = try steps.map { step -> JSON in
        let shown = try scratch.succeed("show", step["output"]!.stringValue!, "--json").json
        #expect(shown["patch"] == step["patch"])
        return shown
      }
      for (index, patch) in patches.enumerated() {
        let parents = patch["manifest"]?["parents"]?.arrayValue ?? []
        #expect(parents.map { $0["patch"] } == patches[..<index].map { $0["patch"] })
      }

      // The scores are those of the applied checkpoint.
      try scratch.succeed(
        "apply", "samples/model", "all/001.wpatch", "all/002.wpatch", "all/003.wpatch", "-o", "edited", "--quiet")
      let scores = try scratch.succeed(
        "eval", "edited", "--facts", "samples/facts.json", "--records", "0-4", "--json", "--quiet"
      ).json
      for name in ["ES", "PS", "NS", "P(new)"] as [ByteString] {
        let (own, evaluated) = (
          steps[2]["all"]?[name]?.doubleValue, scores["summary"]?[name]?.doubleValue
        )
        #expect(abs(try #require(own) - #require(evaluated)) < 1e-3)
      }

      // What is there is kept; what is missing is made again, to the same bytes.
      let before = try scratch.bytes("all/002.wpatch")
      try FileManager.default.removeItem(atPath: scratch("all/002.wpatch"))
      let again = try made("samples/model", "0-4", "--batch-size", "2", "--json", "-o", "all")
      #expect(again.output == result.output)
      #expect(try scratch.bytes("all/002.wpatch") == before)
      let table = try made("samples/model", "0-4", "--batch-size", "2", "--no-evaluation", "-o", "all").output
      #expect(table.hasPrefix("all/001.wpatch: patch \(patches[0]["patch"]!.stringValue!.prefix(12)), 2 facts\n"))
    }

    /// What is on the checkpoint is held, unless it is not to be; the sequence is solved again from its files alone.
    @Test func history() throws {
      let options = ["--method", "memit", "--lambda", "1", "--batch-size", "2", "--no-evaluation"]
      for (folder, more) in [("held", []), ("free", ["--no-history"]), ("bare", ["--no-keys"])] {
        #expect(try edit("samples/model", "0-3", options + more + ["-o", folder]).exitCode == 0)
      }
      // Facts about the same things, one after the other, without history.
      let moved = try made(
        "samples/model", "5-9", "--method", "memit", "--lambda", "1", "--batch-size", "1", "--no-evaluation",
        "--no-history", "-o", "moved", "--json"
      ).json["moved"]?.arrayValue
      let kept = try made(
        "samples/model", "5-9", "--method", "memit", "--lambda", "1", "--batch-size", "1", "--no-evaluation", "-o",
        "kept", "--json"
      ).json["moved"]?.arrayValue
      #expect(try #require(moved).count > #require(kept).count)
      let lines = try made(
        "samples/model", "5-9", "--method", "memit", "--lambda", "1", "--batch-size", "1", "--no-evaluation",
        "--no-history", "-o", "moved"
      ).output
      #expect(
        lines.hasSuffix("solve all facts together: errata stack moved/*.wpatch --resolve --lambda 1 -o mended.wpatch\n")
      )
      func batch(_ path: String) throws -> JSON? {
        try scratch.succeed("show", path, "--json").json["manifest"]?["batches"]?.arrayValue?.first
      }
      let held = try batch("held/002.wpatch")?["metric"]?["held"]?.arrayValue
      #expect(try held?.map { $0["batch"] } == [batch("held/001.wpatch")?["digest"]])
      #expect(try batch("free/002.wpatch")?["metric"] == nil && batch("bare/002.wpatch")?["metric"] != nil)
      for folder in ["held", "free"] {
        try scratch.succeed(
          "stack", folder + "/001.wpatch", folder + "/002.wpatch", "--resolve", "--lambda", "0.5", "-o",
          folder + ".wpatch")
        #expect(try batch(folder + ".wpatch")?["metric"] == nil)
      }
      let refused = try Tool.errata(
        ["stack", "bare/001.wpatch", "bare/002.wpatch", "--resolve", "-o", "x.wpatch"], in: scratch.path)
      #expect(refused.exitCode == 1 && refused.errors.contains("add --stats"))
      try scratch.succeed(
        "stack", "bare/001.wpatch", "bare/002.wpatch", "--resolve", "--stats", "samples/stats.safetensors", "-o",
        "x.wpatch")
    }

    @Test func aFolderOfAnotherSequence() throws {
      _ = try made("samples/model", "0-1", "--batch-size", "1", "--no-evaluation", "-o", "all")
      for (records, options) in [
        ("2-3", []), ("0-1", ["--lambda", "0.5"]), ("0-1", ["--after", "samples/five-facts.wpatch"]),
      ] {
        let result = try edit("samples/model", records, options + ["--batch-size", "1", "-o", "all"])
        #expect(result.exitCode == 1)
        #expect(
          result.errors
            == "errata edit: all/001.wpatch: was made of other facts, with other settings or on other patches; name "
            + "another folder\n"
        )
      }
      let noFolder = try edit("samples/model", "0", ["--batch-size", "1", "-o", "samples/facts.json"])
      #expect(noFolder.exitCode == 1)
      #expect(
        noFolder.errors == "errata edit: samples/facts.json: cannot be made or is not a folder; name another output\n")
      for options in [["--batch-size", "0"], ["--no-evaluation"]] {
        #expect(try edit("samples/model", "0", options + ["-o", "x"]).exitCode == 2)
      }
    }

    /// A patch with corrections fixes every bit: nothing can be computed on top of it.
    @Test func notOnTopOfCorrections() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "edited", "--quiet")
      try scratch.succeed("diff", "samples/model", "edited", "-o", "difference.wpatch", "--quiet")
      let result = try edit(
        "samples/model", "0", ["--after", "difference.wpatch", "-o", "x.wpatch"])
      #expect(result.exitCode == 4)
      #expect(
        result.errors
          == "errata edit: samples/model: a patch sets the values of model.layers.1.mlp.down_proj.weight exactly, "
          + "and no edit can be computed on top of it; revert it first\n")
    }
  }
}
