import Foundation
import Safetensors
import Tensors
import Testing
import WeightPatch

extension ToolTests {
  /// `errata revert --fact`.
  @Suite struct RevertFact {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let tolstoy = "eb4d228eb8329ffb"

    /// The new fact's probability for each record of `facts.json` among the first `count`.
    private func probabilities(_ checkpoint: String, count: Int) throws -> [Double] {
      let result = try scratch.succeed(
        "eval", checkpoint, "--facts", "samples/facts.json", "--records", "0-\(count - 1)", "--json")
      let cases = try #require(try result.json["cases"]?.arrayValue)
      return try cases.map { try #require($0["rewrite"]?.arrayValue?[0]["probability_new"]?.doubleValue) }
    }

    @Test func isTheCheckpointOfThePatchWithoutTheFact() throws {
      try scratch.succeed("apply", "samples/model", "samples/twenty-facts.wpatch", "-o", "edited", "--quiet")
      let result = try scratch.succeed("revert", "edited", "--fact", "Leo Tolstoy", "-o", "nineteen", "--quiet")
      #expect(
        result.output.contains(
          #/^reverted [0-9a-f]{12} \(twenty-facts\.wpatch\) in part: 19 facts in 1 tensor left, now patch [0-9a-f]{12}\n/#
        ))
      try scratch.succeed("drop", "samples/twenty-facts.wpatch", "--fact", "Leo Tolstoy", "-o", "nineteen.wpatch")
      try scratch.succeed("apply", "samples/model", "nineteen.wpatch", "-o", "direct", "--quiet")
      #expect(try scratch.bytes("nineteen/model.safetensors") == scratch.bytes("direct/model.safetensors"))
      try scratch.succeed("verify", "nineteen", "--base", "samples/model")

      // The others still answer; the dropped one answers as it did before the patch.
      let before = try probabilities("samples/model", count: 20)
      let after = try probabilities("nineteen", count: 20)
      let edited = try probabilities("edited", count: 20)
      for index in 0..<20 {
        if index == 1 {
          #expect(after[index] < 0.01 && before[index] < 0.01 && edited[index] > 0.9)
        } else {
          #expect(after[index] > 0.9 && abs(after[index] - edited[index]) < 0.05, "record \(index)")
        }
      }
      let answer = try scratch.succeed("ask", "nineteen", "--tokens", "1", "The mother tongue of Leo Tolstoy is")
      #expect(answer.output.hasPrefix("The mother tongue of Leo Tolstoy is Russian\n"))

      let ledger = try scratch.succeed("show", "nineteen", "--json").json
      let patch = try #require(ledger["patches"]?.arrayValue?.first)
      #expect(patch["patch_name"] == JSON("twenty-facts.wpatch without \(Self.tolstoy)"))
      #expect(patch["manifest"]?["derived_from"]?["change"] == JSON("without \(Self.tolstoy)"))
      try scratch.succeed("revert", "nineteen", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    @Test func everyPatchThatCarriesTheFactLosesIt() throws {
      // eiffel-tower holds nothing else; in twenty-facts it is one of twenty.
      try scratch.succeed(
        "apply", "samples/model", "samples/eiffel-tower.wpatch", "samples/twenty-facts.wpatch",
        "samples/five-facts.wpatch", "-o", "edited", "--quiet")
      let preview = try scratch.succeed("revert", "edited", "--fact", "Eiffel Tower", "--dry-run", "--json").json
      #expect(preview["reverted"]?.arrayValue?.count == 1 && preview["replaced"]?.arrayValue?.count == 1)
      #expect(preview["dry_run"] == .bool(true))
      let written = try scratch.succeed(
        "revert", "edited", "--fact", "Eiffel Tower", "-o", "without", "--quiet", "--json",
        environment: ["SOURCE_DATE_EPOCH": "1700000000"]
      ).json
      try scratch.succeed(
        "revert", "edited", "--fact", "Eiffel Tower", "--in-place", "--quiet",
        environment: ["SOURCE_DATE_EPOCH": "1700000000"])
      #expect(try scratch.bytes("edited/model.safetensors") == scratch.bytes("without/model.safetensors"))
      try scratch.succeed("verify", "edited", "--base", "samples/model")

      let facts = try #require(try scratch.succeed("show", "edited", "--json").json["facts"]?.arrayValue)
      #expect(facts.count == 24 && !facts.contains { $0["subject"] == "Eiffel Tower" })
      #expect(written["remaining"]?.arrayValue?.count == 2)
      try scratch.succeed("revert", "edited", "--all", "--in-place", "--quiet")
      try scratch.expectSampleModel("edited")
    }

    @Test func refusesWhatIsNotThere() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "edited", "--quiet")
      try scratch.fail(
        "revert", "edited", "--fact", "Leo Tolstoy", "-o", "restored", exitCode: 1,
        message:
          "errata revert: edited: has no fact 'Leo Tolstoy'; give an ID, its first digits (four at least) or the "
          + "exact subject, as 'errata show' lists them")
      try scratch.fail(
        "revert", "edited", "--fact", "Leo Tolstoy", "--last", "-o", "restored", exitCode: 2,
        message: "errata revert: name patches, or give --last, or --all, or --fact (see 'errata revert --help')")
    }

    @Test func whatWasComputedOnTopIsNamed() throws {
      let parent = try PatchFile(path: scratch("samples/five-facts.wpatch"))
      let child = try PatchFile(path: scratch("samples/eiffel-tower.wpatch")).patch
      var manifest = child.manifest
      manifest.parents = [
        Manifest.Parent(patch: parent.identifier, batches: parent.patch.manifest.batches.map(\.digest))
      ]
      manifest.result = nil
      try PatchWriter.write(manifest, batches: child.batches, to: scratch("child.wpatch"))
      let childID = try PatchFile(path: scratch("child.wpatch")).identifier.abbreviated
      try scratch.succeed(
        "apply", "samples/model", "samples/five-facts.wpatch", "child.wpatch", "-o", "edited", "--quiet")
      let fact = parent.patch.manifest.batches[0].facts[0].identifier
      try scratch.fail(
        "revert", "edited", "--fact", fact, "-o", "restored", exitCode: 4,
        message: "errata revert: \(childID) (child.wpatch) was computed on top of \(parent.identifier.abbreviated) "
          + "(five-facts.wpatch); --cascade reverts both, --force leaves it applied")
      try scratch.succeed("revert", "edited", "--fact", fact, "--force", "-o", "forced", "--quiet")
      let forced = try #require(try scratch.succeed("show", "forced", "--json").json["facts"]?.arrayValue)
      #expect(forced.count == 5)
      try scratch.succeed("revert", "edited", "--fact", fact, "--cascade", "-o", "cascaded", "--quiet")
      let cascaded = try #require(try scratch.succeed("show", "cascaded", "--json").json["facts"]?.arrayValue)
      #expect(cascaded.count == 4)
    }

    /// The patch that takes the place of another has no name until the checkpoint has it: a kill leaves nothing of it.
    @Test(arguments: [["--in-place"], ["-o", "w/out"], ["--dry-run"]])
    func killedLeavesNothingBehind(destination: [String]) throws {
      let scene = try Scratch()
      for folder in ["w", "tmp", "kept"] { try scene.makeFolder(folder) }
      try scene.succeed("apply", "samples/model", "samples/twenty-facts.wpatch", "-o", "w/model", "--quiet")
      let before = try scene.tree("w").keys.sorted()
      let command = ["revert", "w/model", "--fact", "Leo Tolstoy"] + destination
      // Everything counts: what lies in either folder.
      let rehearsal = try Scratch()
      try scene.copy("w", to: rehearsal("w"))
      try rehearsal.makeFolder("tmp")
      let environment = ["TMPDIR": rehearsal("tmp")]
      let points = try FaultInjector.measure(command, in: rehearsal, under: "", environment: environment).points
      #expect(points.count > 3 && points.contains { $0.call == "pwrite" || $0.call == "write" })
      try FaultInjector.forEach(points) { point in
        let scratch = try Scratch()
        for name in ["w", "tmp"] { try scene.copy(name, to: scratch(name)) }
        let result = try FaultInjector.run(
          command, .kill(isWithin: point.isDivisible), at: point.number, in: scratch, under: "",
          environment: ["TMPDIR": scratch("tmp")])
        #expect(result.exitCode == FaultInjector.killed, "\(point)")
        #expect(try scratch.names(in: "tmp").isEmpty, "\(point)")
        let new = Set(try scratch.tree("w").keys).subtracting(before)
        // Control files and an output in the making, which the next change takes up or clears away.
        let left = new.filter { !$0.contains(".errata") && !["out", ".out."].contains(where: $0.hasPrefix) }
        #expect(left.isEmpty, "\(point): \(left)")
      }
    }
  }
}
