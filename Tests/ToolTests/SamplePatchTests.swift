import Foundation
import Safetensors
import Tensors
import Testing

extension ToolTests {
  /// The patches in the repository do what they say.
  @Suite struct SamplePatches {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func allAreTested() throws {
      let found = try scratch.names(in: "samples").filter { $0.hasSuffix(".wpatch") }
      #expect(found == Samples.patches.map { $0 + ".wpatch" })
    }

    @Test(arguments: zip(Samples.patches, ["0", "20-24", "0-19"]))
    func holds(patch: String, records: String) throws {
      let file = "samples/\(patch).wpatch"
      try scratch.succeed("apply", "samples/model", file, "-o", "edited", "--quiet")
      let manifest = try #require(try scratch.succeed("show", file, "--json").json["manifest"])
      let written = try Checkpoint(path: scratch("edited"))
      for (tensor, digest) in try #require(manifest["result"]?.objectValue).members {
        #expect(try written.digest(of: tensor).description == digest.stringValue, "\(tensor)")
      }

      let evaluation = try scratch.succeed(
        "eval", "edited", "--facts", "samples/facts.json", "--records", records, "--json")
      let cases = try #require(try evaluation.json["cases"]?.arrayValue)
      let facts = try #require(manifest["batches"]?.arrayValue).flatMap { $0["facts"]?.arrayValue ?? [] }
      #expect(cases.map { $0["fact"] } == facts.map { $0["id"] })
      for (fact, scored) in zip(facts, cases) {
        let probability = try #require(scored["rewrite"]?.arrayValue?[0]["probability_new"]?.doubleValue)
        let promised = try #require(fact["outcome"]?["probability_after"]?.doubleValue)
        #expect(probability > 0.9, "\(fact["subject"]?.stringValue ?? "")")
        // Another machine's kernels round sums differently.
        #expect(abs(probability - promised) < 1e-3, "\(fact["subject"]?.stringValue ?? "")")
      }

      try scratch.succeed("revert", "edited", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    @Test func theOrderDoesNotMatter() throws {
      try scratch.succeed("apply", "samples/model", "samples/five-facts.wpatch", "-o", "five", "--quiet")
      try scratch.succeed("apply", "five", "samples/eiffel-tower.wpatch", "-o", "five-eiffel", "--quiet")
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "eiffel", "--quiet")
      try scratch.succeed("apply", "eiffel", "samples/five-facts.wpatch", "-o", "eiffel-five", "--quiet")
      try scratch.succeed(
        "apply", "samples/model", "samples/five-facts.wpatch", "samples/eiffel-tower.wpatch", "-o", "both", "--quiet")
      let weights = try scratch.bytes("both/model.safetensors")
      #expect(try scratch.bytes("five-eiffel/model.safetensors") == weights)
      #expect(try scratch.bytes("eiffel-five/model.safetensors") == weights)
      #expect(try scratch.bytes("eiffel/model.safetensors") != weights)

      // Without the first, it is as if the first had never been.
      try scratch.succeed("revert", "eiffel-five", "samples/eiffel-tower.wpatch", "-o", "five-alone", "--quiet")
      #expect(try scratch.bytes("five-alone/model.safetensors") == scratch.bytes("five/model.safetensors"))
      try scratch.succeed("revert", "five-eiffel", "--all", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }
  }
}
