import Foundation
import Safetensors
import Tensors
import Testing

extension ToolTests {
  /// `errata diff`: two patches, two checkpoints, a checkpoint and a patch.
  @Suite struct Diff {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    // MARK: Two patches

    @Test func comparesPatches() throws {
      let patches = ["samples/five-facts.wpatch", "samples/twenty-facts.wpatch"]
      let found = try scratch.succeed("diff", patches[0], patches[1], "--json").json
      #expect(found["different"] == true && found["facts"]?["shared"] == 0 && found["shared_batches"] == 0)
      #expect(found["facts"]?["added"]?.arrayValue?.count == 20 && found["facts"]?["removed"]?.arrayValue?.count == 5)
      let tensors = try #require(found["tensors"]?.arrayValue)
      #expect(tensors.allSatisfy { $0["norm_difference"]?.doubleValue ?? 0 > 0 })
      let lines = try scratch.succeed("diff", patches[0], patches[1]).output
      #expect(lines.contains("facts: 20 added, 5 removed, 0 changed, 0 the same; batches in both: 0\n"))
      #expect(lines.contains(#/\n- +[0-9a-f]{16} /#) && lines.contains(#/\n\+ +[0-9a-f]{16} +Leo Tolstoy /#))
      #expect(try scratch.errata("diff", patches[0], patches[1], "--exit-code").exitCode == 1)
      let same = try scratch.succeed("diff", patches[0], patches[0], "--exit-code")
      #expect(same.output.hasSuffix("\nThey make the same edits.\n"))
    }

    /// Without two facts, and with another lambda: the rest points almost the same way.
    @Test func comparesDerivedPatches() throws {
      try scratch.succeed(
        "drop", "samples/twenty-facts.wpatch", "--fact", "Leo Tolstoy", "--fact", "Osaka", "-o", "18.wpatch")
      let dropped = try scratch.succeed("diff", "samples/twenty-facts.wpatch", "18.wpatch", "--json").json
      #expect(dropped["facts"]?["removed"]?.arrayValue?.map { $0["subject"] } == ["Leo Tolstoy", "Osaka"])
      #expect(dropped["facts"]?["shared"] == 18 && dropped["facts"]?["changed"]?.arrayValue?.isEmpty == true)
      let tensor = try #require(dropped["tensors"]?.arrayValue?[0])
      #expect(tensor["rank_first"] == 20 && tensor["rank_second"] == 18)
      // B does not change when facts go: what the patches respond to is one space in the other.
      let angles = try #require(tensor["row_angles"]?.arrayValue).compactMap(\.doubleValue)
      #expect(angles.count == 18 && angles.allSatisfy { $0 < 1e-6 })
      #expect(try #require(tensor["cosine"]?.doubleValue) > 0.8)
    }

    // MARK: Two checkpoints

    /// Another tool's edit: rank two in one tensor, and another norm.
    private static let edit = """
      import json, sys
      import numpy as np
      source, target = sys.argv[1:]
      data = bytearray(open(source, "rb").read())
      start = 8 + int.from_bytes(data[:8], "little")
      header = json.loads(data[8:start])
      random = np.random.default_rng(7)
      def change(name, function):
          entry = header[name]
          begin, end = (start + offset for offset in entry["data_offsets"])
          stored = np.frombuffer(data[begin:end], "<u2" if entry["dtype"] == "BF16" else "<f4")
          values = ((stored.astype(np.uint32) << 16).view(np.float32) if entry["dtype"] == "BF16" else stored)
          result = function(values.reshape(entry["shape"])).astype(np.float32)
          if entry["dtype"] == "BF16":
              bits = result.view(np.uint32)
              data[begin:end] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
          else:
              data[begin:end] = result.tobytes()
      def low_rank(values):
          left, right = random.normal(size=(values.shape[0], 2)), random.normal(size=(2, values.shape[1]))
          return values + 0.3 * left @ right / np.sqrt(values.size) * np.linalg.norm(values)
      change("model.layers.1.mlp.down_proj.weight", low_rank)
      change("model.norm.weight", lambda values: values * 1.25)
      open(target, "wb").write(data)
      """

    private static let python: String? = {
      let named = ProcessInfo.processInfo.environment["ERRATA_PYTHON"]
      return [named, Samples.root + "/.venv/bin/python"].compactMap(\.self).first {
        FileManager.default.isExecutableFile(atPath: $0)
      }
    }()

    @Test(.enabled(if: python != nil, "there is no Python with numpy")) func makesAPatchOfAnotherToolsEdit() throws {
      try scratch.copyModel(to: "tuned")
      try scratch.write(Self.edit, to: "edit.py")
      let edited = try Tool.run(
        Self.python!, ["edit.py", "samples/model/model.safetensors", "tuned/model.safetensors"], in: scratch.path)
      try #require(edited.exitCode == 0, "\(edited.errors)")

      let found = try scratch.succeed("diff", "samples/model", "tuned", "--json", "--quiet").json
      let tensors = try #require(found["tensors"]?.arrayValue)
      #expect(tensors.map { $0["tensor"] } == ["model.layers.1.mlp.down_proj.weight", "model.norm.weight"])
      #expect(tensors[0]["rank"] == 2 && tensors[1]["rank"] == .null)
      // 0.3 norm(left right) / sqrt(count), which is about 0.3 sqrt 2.
      #expect(abs(try #require(tensors[0]["relative_norm"]?.doubleValue) - 0.42) < 0.1)
      #expect(abs(try #require(tensors[1]["relative_norm"]?.doubleValue) - 0.25) < 0.01)
      #expect(found["identical"]?.integerValue == (try Checkpoint(path: scratch("tuned")).tensorNames.count) - 2)

      let written = try scratch.succeed(
        "diff", "samples/model", "tuned", "-o", "tuned.wpatch", "--author", "A", "--licence", "B", "--note", "C",
        "--json",
        "--quiet")
      #expect(written.errors == "")
      #expect(try written.json["tensors"]?.arrayValue?.map { $0["rank"] } == [2, 0])
      #expect(try written.json["bytes"]?.integerValue == scratch.bytes("tuned.wpatch").count)
      let shown = try scratch.succeed("show", "tuned.wpatch", "--json").json["manifest"]
      #expect(shown?["author"] == "A" && shown?["licence"] == "B" && shown?["note"] == "C")
      #expect(shown?["base"]?["architecture"] == "llama" && shown?["batches"]?.arrayValue?[0]["terms"] == "components")
      #expect(try scratch.succeed("show", "tuned.wpatch").output.contains("its terms belong to no single fact"))

      try scratch.succeed("apply", "samples/model", "tuned.wpatch", "-o", "applied", "--quiet")
      #expect(try scratch.bytes("applied/model.safetensors") == scratch.bytes("tuned/model.safetensors"))
      try scratch.succeed("diff", "applied", "tuned", "--exit-code", "--quiet")
      try scratch.succeed("verify", "applied", "--base", "samples/model", "--quiet")
      let witness = try Tool.run(
        Self.python!, [Samples.root + "/Tests/Witness/witness.py", "tuned.wpatch", "samples/model", "tuned"],
        in: scratch.path)
      #expect(witness.exitCode == 0, "\(witness.output)")

      // In place, and back.
      try scratch.copyModel(to: "place")
      try scratch.succeed("apply", "place", "tuned.wpatch", "--in-place", "--quiet")
      try scratch.succeed("verify", "place", "--base", "samples/model", "--quiet")
      #expect(try scratch.bytes("place/model.safetensors") == scratch.bytes("tuned/model.safetensors"))
      try scratch.succeed("revert", "place", "--all", "--in-place", "--quiet")
      try scratch.succeed("revert", "applied", "-o", "restored", "--quiet")
      for name in ["place", "restored"] { try scratch.expectSampleModel(name) }

      // It answers to no fact.
      let components =
        "tuned.wpatch: the terms of batch 0 belong to no single fact (it was compacted, or is a difference): it cannot "
        + "be solved again; use the patch that it was made from"
      try scratch.fail(
        "resolve", "tuned.wpatch", "--lambda", "1", "-o", "x.wpatch", exitCode: 1,
        message: "errata resolve: " + components)
      try scratch.fail(
        "drop", "tuned.wpatch", "--fact", "Osaka", "-o", "x.wpatch", exitCode: 1,
        message: "errata drop: tuned.wpatch: has no fact 'Osaka'; give an ID, its first digits (four at least) or "
          + "the exact subject, as 'errata show' lists them")
    }

    /// The difference that a patch of facts makes is a patch of as many components.
    @Test func findsThePatchBehindACheckpoint() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "five", "--quiet")
      let table = try scratch.succeed("diff", "samples/model", "five", "--quiet").output
      #expect(table.contains("rank: singular values of D above what rounding explains\n"))
      #expect(table.hasSuffix(" tensors are the same, bit for bit\n"))
      let rank = try scratch.succeed("diff", "samples/model", "five", "--tolerance", "0.2", "--json", "--quiet").json
      #expect(rank["rank_rule"] == "tolerance 0.2")
      #expect(try #require(rank["tensors"]?.arrayValue?[0]["rank"]?.integerValue) <= 5)
      for options in [[], ["--tolerance", "0.05"], ["--rank", "2"], ["--rank", "0"]] {
        let made = try Tool.errata(
          ["diff", "samples/model", "five", "-o", "made.wpatch", "--force"] + options, in: scratch.path)
        try #require(made.exitCode == 0, "\(made.errors)")
        #expect(made.output.contains(#/made\.wpatch: patch [0-9a-f]{12}, .+ in \d tensors?, /#))
        try scratch.succeed("apply", "samples/model", "made.wpatch", "-o", "made", "--quiet")
        #expect(try scratch.bytes("made/model.safetensors") == scratch.bytes("five/model.safetensors"))
        try scratch.remove("made")
      }
      let same = try scratch.succeed("diff", "five", "five", "--exit-code", "--quiet").output
      #expect(same.hasSuffix(" tensors are the same, bit for bit\n"))
      #expect(try scratch.errata("diff", "samples/model", "five", "--exit-code", "--quiet").exitCode == 1)
    }

    /// A correction is made for one sum: beside another patch of the tensor it is refused, and there is a way without.
    @Test func combinesWithoutCorrections() throws {
      let other = "samples/eiffel-tower.wpatch"
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "five", "--quiet")
      try scratch.succeed("diff", "samples/model", "five", "-o", "exact.wpatch", "--quiet")
      let answer = try scratch.succeed(
        "diff", "samples/model", "five", "-o", "free.wpatch", "--no-correction", "--json", "--quiet"
      ).json
      #expect(answer["exact"] == false)
      let missed = try #require(answer["tensors"]?.arrayValue).map { try #require($0["missed"]?.doubleValue) }
      #expect(missed.count == 3 && missed.allSatisfy { $0 > 0 && $0 < 0.3 })
      let table = try scratch.succeed(
        "diff", "samples/model", "five", "-o", "free.wpatch", "--force", "--no-correction", "--quiet"
      ).output
      #expect(table.contains("missed of D\n") && table.contains("\nnot exact: what low rank misses is not corrected\n"))
      let shown = try scratch.succeed("show", "free.wpatch").output
      #expect(shown.contains(#/not exact    ?model\.layers.+: without .+% of D/#))

      func refuses(_ tool: String, _ arguments: [String]) throws {
        let result = try Tool.errata([tool] + arguments, in: scratch.path)
        #expect(result.exitCode == 4 && result.output == "")
        let line =
          #/^errata [a-z]+: model\.layers\.\d\.mlp\.down_proj\.weight: is corrected by .*exact\.wpatch\)? and /#
        #expect(result.errors.contains(line))
        #expect(result.errors.contains("eiffel-tower.wpatch") && result.errors.split(separator: "\n").count == 1)
        #expect(!scratch.exists("out") && !scratch.exists("out.wpatch"))
      }
      try refuses("apply", ["samples/model", "exact.wpatch", other, "-o", "out", "--quiet"])
      try refuses("apply", ["samples/model", "exact.wpatch", other, "--dry-run", "-o", "out", "--quiet", "--force"])
      try scratch.succeed("apply", "samples/model", "exact.wpatch", "-o", "applied", "--quiet")
      try refuses("apply", ["applied", other, "-o", "out", "--quiet"])
      try refuses("stack", ["exact.wpatch", other, "-o", "out.wpatch"])
      try scratch.fail(
        "compact", "exact.wpatch", "--factors", "i8", "-o", "out.wpatch", exitCode: 1,
        message: "errata compact: exact.wpatch: batch 0 has corrections, which fit its factors as they are; make the "
          + "difference again with 'errata diff' (--rank, --tolerance or --no-correction), or give "
          + "--compression-level alone")
      try scratch.succeed("compact", "exact.wpatch", "--compression-level", "3", "-o", "small.wpatch")
      try scratch.succeed("verify", "small.wpatch")

      try scratch.succeed("apply", "samples/model", "free.wpatch", other, "-o", "both", "--quiet")
      try scratch.succeed("stack", "free.wpatch", other, "-o", "stack.wpatch")
      try scratch.succeed("apply", "samples/model", "stack.wpatch", "-o", "stacked", "--quiet")
      #expect(try scratch.bytes("both/model.safetensors") == scratch.bytes("stacked/model.safetensors"))
      try scratch.succeed("revert", "both", "--all", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    // MARK: A checkpoint and a patch

    private func verdict(_ arguments: String..., exitCode: Int32 = 0) throws -> JSON {
      let result = try Tool.errata(["diff"] + arguments + ["--json", "--quiet"], in: scratch.path)
      #expect(result.exitCode == exitCode, "\(result.errors)")
      return try result.json
    }

    @Test func findsPatchesByTheLedger() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "five", "--quiet")
      let found = try verdict("five", "samples/five-facts.wpatch", "--exit-code")
      #expect(found["verdict"] == "applied" && found["has_ledger"] == true && found["intact"] == true)
      #expect(found["facts"]?.arrayValue?.count == 5)
      #expect(found["facts"]?.arrayValue?.allSatisfy { $0["carried_by"]?.arrayValue?.count == 1 } == true)
      let other = try verdict("samples/twenty-facts.wpatch", "five", "--exit-code", exitCode: 1)
      #expect(other["verdict"] == "not_applied")
      #expect(
        try scratch.succeed("diff", "five", "samples/five-facts.wpatch", "--quiet").output
          .contains("): is in five, by its ledger\n"))

      // One that is solved again carries facts, and none of the batches.
      try scratch.succeed("resolve", "samples/five-facts.wpatch", "--lambda", "10", "-o", "gentle.wpatch")
      let again = try verdict("five", "gentle.wpatch")
      #expect(again["verdict"] == "not_applied")
      #expect(again["facts"]?.arrayValue?.allSatisfy { $0["carried_by"]?.arrayValue?.count == 1 } == true)

      // What the ledger says and what is there are two things.
      var weights = try scratch.bytes("five/model.safetensors")
      let name = try #require(found["tensors"]?.arrayValue?[0]["tensor"]?.stringValue)
      let range = try Checkpoint(path: scratch("five")).tensor(named: ByteString(name)).info.fileRange
      weights[range.lowerBound] ^= 1
      try scratch.write(weights, to: "five/model.safetensors")
      let spoiled = try scratch.errata("diff", "five", "samples/five-facts.wpatch", "--quiet")
      #expect(spoiled.exitCode == 5 && spoiled.output.contains("is not what the ledger says\n"))
      #expect(
        spoiled.errors
          == "errata diff: five: tensors are not what its ledger says; 'errata verify five' checks all of them\n")
    }

    @Test func findsPatchesByTheirDigests() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "five", "--quiet")
      try scratch.succeed(
        "apply", "samples/model", "samples/five-facts.wpatch", "samples/eiffel-tower.wpatch", "-o", "both", "--quiet")
      for name in ["five", "both"] { try scratch.remove(name + "/.errata") }
      let patch = "samples/five-facts.wpatch"
      #expect(try verdict("five", patch, "--exit-code")["verdict"] == "applied")
      #expect(try verdict("samples/model", patch)["verdict"] == "not_applied")
      #expect(try verdict("samples/model", patch, "--exit-code", exitCode: 1)["has_ledger"] == false)
      // The other patch edits one of the three tensors.
      #expect(try verdict("both", patch)["verdict"] == "partly")
      let other = "samples/eiffel-tower.wpatch"
      #expect(try verdict("both", other)["verdict"] == "unknown")
      #expect(
        try scratch.succeed("diff", "both", other, "--quiet").output
          .contains("holds neither the base nor the base plus this patch (--base compares it with its base)\n"))
      // The patches have little to do with each other: the change is in there about once, beside a larger one.
      let tensor = try #require(try verdict("both", other, "--base", "samples/model")["tensors"]?.arrayValue?[0])
      #expect(tensor["state"] == "other")
      #expect(abs(try #require(tensor["share"]?.doubleValue) - 1) < 0.3)
      #expect((1...5).contains(try #require(tensor["distance"]?.doubleValue)))
      // Together they explain all of it.
      let set = try verdict("both", patch, other, "--base", "samples/model", "--exit-code")
      #expect(set["verdict"] == "applied" && set["patches"]?.arrayValue?.count == 2)
      #expect(try verdict(patch, "samples/model", other)["verdict"] == "not_applied")
      let text = try scratch.succeed("diff", "both", patch, other, "--base", "samples/model", "--quiet").output
      #expect(text.contains("): are in the tensors of both that they edit, exactly and alone; there is no ledger\n"))
      // A patch that does not record its result is found with the base.
      try scratch.succeed("resolve", patch, "--lambda", "10", "-o", "gentle.wpatch")
      try scratch.succeed("apply", "samples/model", "gentle.wpatch", "-o", "gentle", "--quiet")
      try scratch.remove("gentle/.errata")
      #expect(try verdict("gentle", "gentle.wpatch")["verdict"] == "unknown")
      #expect(try verdict("gentle", "gentle.wpatch", "--base", "samples/model", "--exit-code")["verdict"] == "applied")
    }

    // MARK: Errors

    @Test func refusesWhatDoesNotGoTogether() throws {
      let hint = " (see 'errata diff --help')"
      let patches = ["diff", "samples/five-facts.wpatch", "samples/twenty-facts.wpatch"]
      let models = ["diff", "samples/model", "samples/model"]
      for (arguments, message) in [
        (patches + ["-o", "x"], "-o goes with two checkpoints"),
        (patches + ["--tolerance", "0.1"], "--tolerance goes with two checkpoints"),
        (patches + ["--rank", "1"], "--rank goes with two checkpoints"),
        (patches + ["--base", "samples/model"], "--base goes with a checkpoint and a patch"),
        (patches + ["samples/eiffel-tower.wpatch"], "name two, or one checkpoint and several patches"),
        (models + ["samples/eiffel-tower.wpatch"], "name two, or one checkpoint and several patches"),
        (models + ["--base", "samples/model"], "--base goes with a checkpoint and a patch"),
        (models + ["--no-correction"], "--no-correction goes with -o"),
        (models + ["--note", "x"], "--author, --licence and --note go with -o"),
        (models + ["--tolerance", "1"], "--tolerance is a share: 0 or more, and less than 1"),
        (models + ["--tolerance", "nan"], "--tolerance is a share: 0 or more, and less than 1"),
        (models + ["--rank", "70000"], "--rank is a number from 0 to 65536"),
      ] {
        try scratch.fail(arguments, exitCode: 2, message: "errata diff: \(message)\(hint)")
      }
    }

    @Test func refusesWhatIsNoBase() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "five", "--quiet")
      let message =
        "errata diff: five: carries a patch, and a base is pristine; take a copy from 'errata revert five --all "
        + "-o BASE'"
      try scratch.fail("diff", "five", "samples/model", "-o", "x.wpatch", "--quiet", exitCode: 4, message: message)
      try scratch.fail(
        "diff", "five", "samples/five-facts.wpatch", "--base", "five", "--quiet", exitCode: 4, message: message)
      try scratch.fail(
        "diff", "samples/model", "samples/model", "-o", "x.wpatch", "--quiet", exitCode: 1,
        message: "errata diff: samples/model and samples/model: have the same tensors: there is nothing for a patch to "
          + "do")
      try scratch.write("precious", to: "file")
      try scratch.fail(
        "diff", "samples/model", "five", "-o", "file", "--quiet", exitCode: 1,
        message: "errata diff: file: is there already, and not what this tool writes; name another output")
    }
  }
}
