import Tensors
import Testing

extension ToolTests {
  /// `errata compact`, and what the other tools make of its patches.
  @Suite struct Compaction {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private let patch = "samples/twenty-facts.wpatch"

    private func answers(_ model: String) throws -> String {
      try scratch.succeed(
        "ask", model, "The mother tongue of Leo Tolstoy is", "The Eiffel Tower is located in the country of", "-t", "1",
        "--plain"
      ).output
    }

    /// Applies and takes back, with the digests that the patch promises.
    private func appliesAndReverts(_ patch: String) throws {
      try scratch.succeed("verify", patch)
      try scratch.succeed("apply", "samples/model", patch, "-o", "edited", "--quiet")
      try scratch.succeed("verify", "edited", "--base", "samples/model")
      #expect(try answers("edited") == answers("reference"))
      try scratch.succeed("revert", "edited", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    @Test(arguments: [["--factors", "i8"], ["--factors", "f16,i8", "--compression-level", "3"]])
    func storesFactorsNarrower(options: [String]) throws {
      try scratch.succeed("apply", "samples/model", patch, "-o", "reference", "--quiet")
      let result = try Tool.errata(
        ["compact", patch, "-o", "small.wpatch", "--base", "samples/model", "--author", "somebody", "--json"] + options,
        in: scratch.path)
      try #require(result.exitCode == 0, "\(result.errors)")
      let answer = try result.json
      let before = try scratch.bytes(patch).count
      #expect(answer["bytes_before"]?.integerValue == before)
      #expect(answer["bytes"]?.integerValue == (try scratch.bytes("small.wpatch").count))
      let bytes = try #require(answer["bytes"]?.integerValue)
      #expect(Double(bytes) < 0.9 * Double(before) && answer["same_content"] == false)
      #expect(answer["bytes_per_fact"]?.integerValue == bytes / 20)
      let tensor = try #require(answer["tensors"]?.arrayValue?.first)
      #expect(tensor["terms"] == 20 && tensor["terms_before"] == 20)
      #expect(tensor["storage"]?.stringValue?.hasSuffix("I8") == true)
      let lost = try #require(tensor["delta_error"]?.doubleValue)
      #expect(lost > 1e-3 && lost < 0.1)

      let shown = try scratch.succeed("show", "small.wpatch", "--json").json
      #expect(shown["patch"] == answer["patch"] && shown["bytes_per_fact"] == answer["bytes_per_fact"])
      #expect(shown["manifest"]?["derived_from"]?["author"] == "somebody")
      try appliesAndReverts("small.wpatch")
      // Facts are still facts.
      try scratch.succeed("drop", "small.wpatch", "--fact", "Osaka", "-o", "dropped.wpatch")
      try scratch.succeed("resolve", "small.wpatch", "--lambda", "5", "-o", "resolved.wpatch")
    }

    @Test func cutsToFewerTerms() throws {
      try scratch.succeed("apply", "samples/model", patch, "-o", "reference", "--quiet")
      let result = try scratch.succeed(
        "compact", patch, "--tolerance", "0.3", "-o", "small.wpatch", "--base", "samples/model")
      let lines = result.output.split(separator: "\n").map(String.init)
      #expect(lines.count == 3)
      #expect(
        lines[0].split(separator: " ").joined(separator: " ")
          == "batch tensor terms stored A B lost of D of facts worst fact of text")
      #expect(lines[1].contains(#/^ +0  model\.layers\.1\.mlp\.down_proj\.weight +1[0-9] of 20  F16 F16 /#))
      #expect(
        lines[2].contains(
          #/^small.wpatch: patch [0-9a-f]{12}, 20 facts in 1 tensor; from [0-9a-f]{12}, compacted to tolerance 0.3 of facts; /#
        ))
      try appliesAndReverts("small.wpatch")

      let shown = try scratch.succeed("show", "small.wpatch").output
      #expect(shown.contains("its terms belong to no single fact"))
      #expect(shown.contains(#/compacted +model\.layers\.1\.mlp\.down_proj\.weight: 1[0-9] of 20 terms/#))
      #expect(shown.contains("Leo Tolstoy"))
      let json = try scratch.succeed("show", "small.wpatch", "--json").json
      let figures = try #require(
        json["manifest"]?["batches"]?.arrayValue?[0]["tensors"]?["model.layers.1.mlp.down_proj.weight"])
      let lost = try #require(figures["compaction"]?["facts_error"]?.doubleValue)
      #expect(lost > 0.1 && lost <= 0.3)

      let components =
        "small.wpatch: the terms of batch 0 belong to no single fact (it was compacted, or is a difference): it "
        + "cannot be solved again; use the patch that it was made from"
      try scratch.fail(
        "drop", "small.wpatch", "--fact", "Osaka", "-o", "x.wpatch", exitCode: 1, message: "errata drop: \(components)")
      try scratch.fail(
        "resolve", "small.wpatch", "--lambda", "5", "-o", "x.wpatch", exitCode: 1,
        message: "errata resolve: \(components)")
      try scratch.fail(
        "resolve", "small.wpatch", "--tradeoff", exitCode: 1, message: "errata resolve: \(components)")
      try scratch.fail(
        "compact", "small.wpatch", "--rank", "3", "-o", "x.wpatch", exitCode: 1,
        message: "errata compact: small.wpatch: batch 0 has no terms of facts with a Gram matrix for "
          + "model.layers.1.mlp.down_proj.weight, which the norm of facts takes; use --norm weights")
      try scratch.succeed("compact", "small.wpatch", "--rank", "3", "--norm", "weights", "-o", "x.wpatch")
    }

    @Test func compressesAnew() throws {
      let answer = try scratch.succeed("compact", patch, "--compression-level", "1", "-o", "packed.wpatch", "--json")
        .json
      #expect(answer["same_content"] == true && answer["derived_from"] == .null)
      let before = try scratch.succeed("show", patch, "--json").json
      let after = try scratch.succeed("show", "packed.wpatch", "--json").json
      #expect(answer["patch"] == before["patch"] && after["patch"] == before["patch"])
      #expect(after["manifest"] == before["manifest"])
      let line = try scratch.succeed("compact", patch, "--compression-level", "22", "-o", "packed.wpatch", "--force")
        .output
      #expect(line.contains(#/^packed.wpatch: patch [0-9a-f]{12}, 20 facts in 1 tensor; the same content; /#))
      // It is the same patch: applied once, it is there.
      try scratch.succeed("apply", "samples/model", patch, "-o", "edited", "--quiet")
      #expect(try scratch.succeed("apply", "edited", "packed.wpatch", "--in-place").output.contains("already"))
    }

    @Test func namesWhatIsWrong() throws {
      func fail(_ options: [String], _ message: String, exitCode: Int32 = 2) throws {
        try scratch.fail(
          ["compact", patch, "-o", "x.wpatch"] + options, exitCode: exitCode,
          message: "errata compact: \(message)" + (exitCode == 2 ? " (see 'errata compact --help')" : ""))
      }
      try fail([], "give --tolerance or --rank, --factors, or --compression-level")
      try fail(["--rank", "0"], "--rank must be positive")
      for tolerance in ["0", "1", "nan"] {
        try fail(["--tolerance", tolerance], "--tolerance must be between 0 and 1")
      }
      try fail(["--rank", "2", "--tolerance", "0.1"], "give --tolerance or --rank, not both")
      try fail(["--factors", "i8", "--norm", "text"], "--norm goes with --tolerance or --rank")
      for level in ["0", "23"] {
        try fail(["--compression-level", level], "--compression-level must be from 1 to 22")
      }
      for option in [["--base", "samples/model"], ["--author", "me"], ["--batch", "0"]] {
        try fail(
          ["--compression-level", "3"] + option,
          "--compression-level alone leaves the content as it is: --base, --author and --batch go with the other ways")
      }
      try fail(
        ["--factors", "f16"], "\(patch): its factors are stored so already (f16); there is nothing to write",
        exitCode: 1)
      try fail(
        ["--rank", "20"], "\(patch): has no batch of more than 20 terms (20); give a smaller --rank", exitCode: 1)
      try fail(
        ["--tolerance", "0.001"],
        "\(patch): all terms (20) are needed for a tolerance of 0.001 by facts; allow more, or store them "
          + "narrower with --factors alone", exitCode: 1)
      let unknown = try scratch.errata("compact", patch, "-o", "x.wpatch", "--factors", "f64")
      #expect(unknown.exitCode == 2 && unknown.errors.contains("'f64' is invalid for '--factors <factors>'"))
      try scratch.spoilWeight(ofLayer: 1)
      let error = try scratch.errata("compact", patch, "--factors", "i8", "--base", "model", "-o", "x.wpatch")
      #expect(error.exitCode == 3)
      #expect(
        error.errors.contains(
          #/^errata compact: \S+: was made for another base than model: model\.layers\.1\.mlp\.down_proj\.weight: /#))
      #expect(
        error.errors.contains(
          #/: expected [0-9a-f]{12}, found [0-9a-f]{12} \(without --base the patch records no result\)\n$/#))
    }

    @Test func editsAreStoredAsAsked() throws {
      let edit = [
        "edit", "samples/model", "--facts", "samples/facts.json", "--stats", "samples/stats.safetensors", "--records",
        "0-1", "--quiet", "-o",
      ]
      func storage(_ options: [String]) throws -> (String?, Double?) {
        let result = try Tool.errata(edit + ["x.wpatch", "--force"] + options, in: scratch.path)
        try #require(result.exitCode == 0, "\(result.errors)")
        let shown = try scratch.succeed("show", "x.wpatch", "--json").json
        let name: ByteString = "model.layers.1.mlp.down_proj.weight"
        return (
          shown["figures"]?.arrayValue?[0][name]?["storage"]?.stringValue,
          shown["manifest"]?["batches"]?.arrayValue?[0]["tensors"]?[name]?["storage_error"]?.doubleValue
        )
      }
      let automatic = try storage([])
      #expect(automatic.0 == "F16 F16" && automatic.1! < 1e-3)
      let narrow = try storage(["--factors", "f16,i8", "--compression-level", "22"])
      #expect(narrow.0 == "F16 I8" && narrow.1! > 1e-3 && narrow.1! < 0.1)
      #expect(try storage(["--factors", "f32"]).1! < 1e-6)
      try scratch.fail(
        edit + ["y.wpatch", "--compression-level", "0"], exitCode: 2,
        message: "errata edit: --compression-level must be from 1 to 22 (see 'errata edit --help')")
    }
  }
}
