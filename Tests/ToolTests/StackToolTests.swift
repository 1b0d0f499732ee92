import Foundation
import Safetensors
import Tensors
import Testing

extension ToolTests {
  @Suite struct Stack {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let twenty = "samples/twenty-facts.wpatch"
    private static let five = "samples/five-facts.wpatch"
    private static let statistics = "samples/stats.safetensors"

    private func edit(_ facts: String, _ records: String, _ options: String..., to output: String) throws {
      let arguments = [
        "edit", "samples/model", "--facts", facts, "--records", records, "--stats", Self.statistics, "-o", output,
        "--quiet",
      ]
      let result = try Tool.errata(arguments + options, in: scratch.path)
      try #require(result.exitCode == 0, "\(result.errors)")
    }

    /// Two facts files that disagree about Tolstoy.
    private func editContradictions() throws {
      var records = try #require(try JSON.parse(scratch.bytes("samples/facts.json")).arrayValue)
      try edit("samples/facts.json", "0-2", "--keys", to: "a.wpatch")
      var tolstoy = try #require(records[1].objectValue)
      var rewrite = try #require(tolstoy["requested_rewrite"]?.objectValue)
      rewrite["target_new"] = ["str": "German"]
      tolstoy["requested_rewrite"] = .object(rewrite)
      records[1] = .object(tolstoy)
      try scratch.write(JSON.array(Array(records[1...4])).serialized(), to: "others.json")
      try edit("others.json", "0-3", "--keys", to: "b.wpatch")
    }

    /// Facts of one layer and facts of three do not take the same room.
    @Test func showTellsWhatTheFactsOfEachBatchTake() throws {
      try scratch.succeed("stack", Self.twenty, Self.five, "-o", "both.wpatch", "--stats", Self.statistics)
      let shown = try scratch.succeed("show", "both.wpatch", "--json").json
      let costs = try #require(shown["costs"]?.arrayValue)
      let bytes = costs.compactMap { $0["bytes"]?.integerValue }
      let each = costs.compactMap { $0["bytes_per_fact"]?.integerValue }
      #expect(bytes.count == 2 && each == [bytes[0] / 20, bytes[1] / 5] && each[1] > 2 * each[0])
      let whole = try scratch.bytes("both.wpatch").count
      #expect(bytes[0] + bytes[1] < whole && bytes[0] + bytes[1] > whole * 3 / 4)
      let text = try scratch.succeed("show", "both.wpatch").output
      #expect(text.contains(#/file        both.wpatch, .+ kB, 25 facts \(.+ kB per fact on average\)\n/#))
      #expect(text.contains(#/\nsize        .+ kB of tensors, 20 facts \(.+ kB per fact\)\n/#))
      #expect(text.contains(#/\nsize        .+ kB of tensors, 5 facts \(.+ kB per fact\)\n/#))
      // Where there is nothing to tell apart, nothing is said.
      #expect(try !scratch.succeed("show", Self.twenty).output.contains("of tensors"))
    }

    @Test func sideBySideItGivesTheBytesOfBoth() throws {
      let result = try scratch.succeed(
        "stack", Self.twenty, Self.five, "-o", "both.wpatch", "--base", "samples/model", "--author", "tests")
      #expect(result.output.hasPrefix("both.wpatch: patch "))
      #expect(result.output.hasSuffix(", 25 facts in 3 tensors, from 2 patches: 2 batches side by side\n"))
      #expect(
        result.errors
          == "note: interference is not predicted between \(Self.twenty) and \(Self.five): that takes the keys of one "
          + "of them ('errata edit --keys') or --stats\n")
      try scratch.succeed("stack", Self.five, Self.twenty, "-o", "reversed.wpatch")
      try scratch.succeed("apply", "samples/model", Self.five, Self.twenty, "-o", "apart", "--quiet")
      // Applying compares with the digests that the stack records.
      for stack in ["both", "reversed"] {
        try scratch.succeed("apply", "samples/model", "\(stack).wpatch", "-o", stack, "--quiet")
        #expect(try scratch.bytes("\(stack)/model.safetensors") == scratch.bytes("apart/model.safetensors"))
      }
      let shown = try scratch.succeed("show", "both.wpatch", "--json").json["manifest"]
      let written = try Checkpoint(path: scratch("both"))
      let digests = try #require(shown?["result"]?.objectValue).members
      #expect(digests.count == 3)
      for (tensor, digest) in digests {
        #expect(try written.digest(of: tensor).description == digest.stringValue, "\(tensor)")
      }
      #expect(shown?["author"] == "tests" && shown?["stacked_from"]?.arrayValue?.count == 2)
      let lines = try scratch.succeed("show", "both.wpatch").output
      #expect(lines.contains(#/\nstacked     patch [0-9a-f]{12} by the Errata project, 1 batch\n/#))
      // What stands on one of the parts stands on the stack, and the batches count once beside their patches.
      try scratch.succeed("apply", "both", Self.five, "-o", "again", "--quiet")
      #expect(try scratch.bytes("again/model.safetensors") == scratch.bytes("apart/model.safetensors"))
      try scratch.succeed("revert", "both", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    @Test func solvedAsOneItIsTheEditOfAllFacts() throws {
      try edit("samples/facts.json", "0-4", "--keys", to: "a.wpatch")
      try edit("samples/facts.json", "5-9", to: "b.wpatch")
      try edit("samples/facts.json", "0-9", to: "whole.wpatch")
      #expect(try scratch.succeed("show", "a.wpatch").output.contains("F16 F16, keys F16"))
      // The keys of one are enough; second moments give the same.
      let result = try scratch.succeed("stack", "a.wpatch", "b.wpatch", "--resolve", "-o", "keys.wpatch")
      #expect(result.errors == "")
      #expect(result.output.contains(", 10 facts in 1 tensor, from 2 patches: solved as one, lambda 0.1\n"))
      try edit("samples/facts.json", "0-4", to: "plain.wpatch")
      try scratch.succeed(
        "stack", "plain.wpatch", "b.wpatch", "--resolve", "--stats", Self.statistics, "--lambda", "0.1", "-o",
        "statistics.wpatch")
      let figures = try ["whole", "keys", "statistics"].map { name in
        try #require(
          try scratch.succeed("show", "\(name).wpatch", "--json").json["figures"]?.arrayValue?[0][
            "model.layers.1.mlp.down_proj.weight"])
      }
      let norms = try figures.map { try #require($0["delta_norm"]?.doubleValue) }
      // The searches of five facts and of ten round differently, and so do the stored factors.
      #expect(abs(norms[1] / norms[0] - 1) < 5e-3 && abs(norms[2] / norms[1] - 1) < 2e-3)
      try scratch.succeed("apply", "samples/model", "keys.wpatch", "-o", "edited", "--quiet")
      let scores = try scratch.succeed(
        "eval", "edited", "--facts", "samples/facts.json", "--records", "0-9", "--json", "--quiet")
      #expect(try scores.json["summary"]?["ES"] == 100.0)
    }

    /// ROME computes each fact on the model that those before it have edited.
    @Test func factsComputedInTurnAreSolvedAsOne() throws {
      try edit("samples/facts.json", "0-2", "--method", "rome", "--keys", to: "rome.wpatch")
      let result = try scratch.succeed(
        "stack", "rome.wpatch", "--resolve", "-o", "one.wpatch", "--base", "samples/model", "--json")
      #expect(try result.json["batches"]?.arrayValue?.map { $0["lambda"] } == [0.0])
      #expect(try result.json["batches"]?.arrayValue?[0]["facts"]?.arrayValue?.count == 3)
      for patch in ["rome", "one"] {
        try scratch.succeed("apply", "samples/model", "\(patch).wpatch", "-o", patch, "--quiet")
      }
      let scores = try scratch.succeed(
        "eval", "rome", "one", "--facts", "samples/facts.json", "--records", "0-2", "--json", "--quiet")
      let probabilities = try #require(try scores.json.arrayValue).map { row in
        try #require(row["cases"]?.arrayValue).map {
          $0["rewrite"]?.arrayValue?[0]["probability_new"]?.doubleValue ?? 0
        }
      }
      // In turn, later edits disturb earlier ones; together, every fact gets all that it asks for.
      #expect(probabilities[1].allSatisfy { $0 > 0.9 })
      #expect(probabilities[1].min()! >= probabilities[0].min()! - 0.02)
    }

    @Test func contradictionsAreRefusedUnlessDecided() throws {
      try editContradictions()
      let (french, german) = ("eb4d228eb8329ffb", "Leo Tolstoy: German, b.wpatch")
      let refused = try scratch.errata("stack", "a.wpatch", "b.wpatch", "-o", "c.wpatch")
      #expect(refused.exitCode == 4 && refused.output == "" && !scratch.exists("c.wpatch"))
      #expect(
        refused.errors.hasPrefix(
          "errata stack: these facts contradict each other: \(french) (Leo Tolstoy: French, a.wpatch) and "))
      #expect(refused.errors.hasSuffix("(\(german)); decide with --prefer first, --prefer last or --prefer ID\n"))

      let decided = try scratch.succeed("stack", "a.wpatch", "b.wpatch", "--prefer", "last", "-o", "c.wpatch")
      #expect(decided.output.contains("left out \(french) (Leo Tolstoy: French, a.wpatch) for "))
      #expect(decided.output.contains("; its batch is solved again without it\n"))
      let answer = try scratch.succeed(
        "stack", "a.wpatch", "b.wpatch", "--prefer", french, "--resolve", "-o", "d.wpatch", "--json", "--threshold", "0"
      ).json
      #expect(answer["left_out_facts"]?.arrayValue?[0]["for"]?.stringValue == french)
      #expect(answer["batches"]?.arrayValue?.map { $0["facts"]?.arrayValue?.count } == [5])
      // LeBron James is in both.
      #expect(answer["repeated"]?.arrayValue?.count == 1)
      let disturbed = try #require(answer["interference"]?["facts"]?.arrayValue)
      #expect(disturbed.count == 6 && disturbed[0]["share"] == answer["interference"]?["largest"])
      #expect(answer["interference"]?["not_predicted"] == [])
      try scratch.succeed("apply", "samples/model", "d.wpatch", "-o", "edited", "--quiet")
      let prompt = "The mother tongue of Leo Tolstoy is"
      #expect(try scratch.succeed("ask", "edited", prompt, "-t", "1", "--plain").output == prompt + " French\n")

      // Applied as they are, they are added up, and that is said.
      let applied = try scratch.succeed("apply", "samples/model", "a.wpatch", "b.wpatch", "--dry-run")
      #expect(applied.errors.hasPrefix("note: \(french) (Leo Tolstoy: French, "))
      let notes = applied.errors.split(separator: "\n")
      #expect(notes.count == 2 && notes[0].hasSuffix(") contradict each other; 'errata stack --prefer' decides"))
      #expect(notes[1].contains(" (LeBron James) comes with more than one patch, and the sum adds up what each does; "))
    }

    @Test func whatIsBroughtTwiceIsSaid() throws {
      let result = try scratch.succeed(
        "stack", "samples/eiffel-tower.wpatch", Self.twenty, "--stats", Self.statistics, "-o", "c.wpatch")
      #expect(result.output.hasPrefix("where the edits are summed:\nfact "))
      #expect(
        result.errors
          == "note: more than one patch brings 97725ee80eba2f35 (Eiffel Tower), and the sum applies it more than once; "
          + "--resolve counts it once\n")
      let quiet = try scratch.succeed(
        "stack", "samples/eiffel-tower.wpatch", Self.twenty, "--stats", Self.statistics, "--threshold", "2", "--dry-run"
      )
      #expect(quiet.output.hasPrefix("no fact is disturbed by 200% of its residual or more (at most 99"))
      #expect(quiet.output.hasSuffix("nothing written, 20 facts in 1 tensor, from 2 patches: 2 batches side by side\n"))
    }

    @Test func itChecksItsArguments() throws {
      let usage = "(see 'errata stack --help')"
      func fails(_ arguments: [String], _ message: String) throws {
        try scratch.fail(["stack"] + arguments, exitCode: 2, message: "errata stack: \(message) \(usage)")
      }
      try fails([Self.five, "-o", "c.wpatch"], "name at least two patches, or one with --resolve")
      try fails([Self.five, Self.twenty], "give --output")
      try fails(
        [Self.five, Self.twenty, "-o", "c.wpatch", "--lambda", "1"],
        "--lambda, --method, --alpha and -w go with --resolve")
      try fails(
        [Self.five, Self.twenty, "-o", "c.wpatch", "--resolve", "--lambda=-1"], "--lambda must be zero or more")
      try fails(
        [Self.five, Self.twenty, "-o", "c.wpatch", "--resolve", "--method", "memit"],
        "give --lambda, or --method memit with -w, or --method emmet with --alpha and -w")
      try fails(
        [Self.five, Self.twenty, "-o", "c.wpatch", "--threshold", "nan"], "--threshold must be zero or more")
      try scratch.fail(
        "stack", Self.five, Self.twenty, "--resolve", "-o", "c.wpatch", exitCode: 2,
        message:
          "errata stack: the batches were solved with different lambda (0.1, 100.0); give --lambda, or --method "
          + "with -w"
      )
      try scratch.fail(
        "stack", Self.five, Self.twenty, "--resolve", "--lambda", "1", "-o", "c.wpatch", exitCode: 1,
        message:
          "errata stack: \(Self.five) and \(Self.twenty): carry no keys, which solving all facts together takes; "
          + "add --stats with the second moments that they were made with, or make one again with 'errata edit "
          + "--keys'")
      try scratch.write("notes", to: "notes.txt")
      try scratch.fail(
        "stack", Self.five, Self.twenty, "-o", "notes.txt", exitCode: 1,
        message: "errata stack: notes.txt: is there already, and not what this tool writes; name another output")
      try scratch.fail(
        "stack", Self.five, "nowhere", "-o", "c.wpatch", exitCode: 1,
        message: "errata stack: nowhere: cannot open: no such file or directory")
    }
  }
}
