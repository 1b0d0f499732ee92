import Foundation
import Safetensors
import Tensors
import Testing
import WeightPatch

extension ToolTests {
  /// Figures and verdicts that users act on, against what they say they are.
  @Suite struct Numbers {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let five = "samples/five-facts.wpatch"
    private static let statistics = "samples/stats.safetensors"

    // MARK: Preservation

    private func edit(_ facts: String, _ options: String..., to output: String) throws {
      try scratch.succeed(
        ["edit", "samples/model", "--facts", facts, "--stats", Self.statistics, "-o", output, "--quiet"] + options)
    }

    /// tr(D C D^T) of the stored factors, with C as it stands in the statistics.
    private func disturbance(_ path: String) throws -> Double {
      let factors = try PatchFile(path: scratch(path)).patch.batches[0].tensors[0]
      let moment = try SafetensorsFile(path: scratch(Self.statistics)).tensor(named: "second_moment.1").matrix()
      let right = try #require(factors.rightValues()).widened()
      let text = plainProduct(plainProduct(right, moment.widened()), right.transposed())
      let left = try #require(factors.leftValues()).widened()
      return zip(plainProduct(left, text).elements, left.elements).reduce(0) { $0 + $1.0 * $1.1 }
    }

    @Test(arguments: ["0.1", "1"]) func theRidgeIsNoDisturbanceOfText(ridge: String) throws {
      try edit("samples/facts.json", "--records", "0-9", "--ridge", ridge, to: "r.wpatch")
      let wanted = try disturbance("r.wpatch")
      let figures = try scratch.succeed("show", "r.wpatch", "--json").json
      let name: ByteString = "model.layers.1.mlp.down_proj.weight"
      let shown = try #require(figures["figures"]?.arrayValue?[0][name])
      #expect(abs(try #require(shown["preservation"]?.doubleValue) / wanted - 1) < 1e-3)
      #expect(shown["preservation_is_upper_bound"] == false)
      let recorded = figures["manifest"]?["batches"]?.arrayValue?[0]["tensors"]?[name]
      #expect(abs(try #require(recorded?["preservation"]?.doubleValue) / wanted - 1) < 1e-3)
      #expect(try #require(recorded?["ridge"]?.doubleValue) > 0)
      let tradeOff = try scratch.succeed("resolve", "r.wpatch", "--tradeoff", "--json").json
      let point = try #require(tradeOff["total"]?.arrayValue?.first { $0["lambda"] == .double(0.1) })
      #expect(abs(try #require(point["preservation"]?.doubleValue) / wanted - 1) < 1e-3)

      // One that records its share only, as patches did before: at most.
      let file = try PatchFile(path: scratch("r.wpatch"))
      var manifest = file.manifest
      manifest.batches[0].tensors[name]?.ridge = nil
      try PatchWriter.write(manifest, batches: file.patch.batches, to: scratch("old.wpatch"))
      let note =
        "preservation: at most; the patch records its ridge as a share only, and what the ridge has in it cannot be "
        + "told\n"
      for arguments in [["show", "old.wpatch"], ["resolve", "old.wpatch", "--tradeoff"]] {
        let text = try scratch.succeed(arguments).output
        #expect(text.contains(" <= ") && text.contains(note))
      }
      #expect(
        try scratch.succeed("resolve", "old.wpatch", "--tradeoff", "--json").json["preservation_is_upper_bound"] == true
      )
    }

    // MARK: Facts about one subject

    /// Their prompts begin with the subject, so that they have one key; each is in a patch of its own.
    @Test(arguments: ["f32", "f16", "i8"]) func twoPatchesAboutOneSubject(type: String) throws {
      for (name, prompt, target) in [
        ("a", "{} is developed by", "Apple"), ("b", "{} is produced by", "Sony"),
      ] {
        try scratch.write(
          "[{\"subject\": \"Windows\", \"prompt\": \"\(prompt)\", \"target_new\": \"\(target)\"}]", to: "\(name).json")
        try edit("\(name).json", "--keys", "--factors", type, "--lambda", "0.1", to: "\(name).wpatch")
      }
      for sources in [[], ["--stats", Self.statistics]] {
        try scratch.succeed(
          ["stack", "a.wpatch", "b.wpatch", "--resolve", "--lambda", "0.1", "-o", "both.wpatch", "--force"] + sources)
        let factors = try PatchFile(path: scratch("both.wpatch")).patch.batches[0].tensors[0]
        let right = try #require(factors.rightValues())
        #expect(right.row(0).elementsEqual(right.row(1)))
        let gram = try #require(factors.gram)
        #expect(abs(gram[0, 1] / gram[0, 0] - 1) < 1e-12)
      }
    }

    // MARK: Another dtype

    /// The sample model with every tensor in float32.
    private func widen(to name: String) throws {
      try scratch.copyModel(to: name)
      let checkpoint = try Checkpoint(path: scratch("samples/model"))
      var tensors: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [:]
      for tensor in checkpoint.tensorNames {
        let stored = try checkpoint.tensor(named: tensor)
        let values = try checkpoint.matrix(named: tensor).elements
        tensors[tensor] = (.f32, stored.shape, values.withUnsafeBufferPointer { narrow($0, to: .f32) })
      }
      try scratch.remove(name + "/model.safetensors")
      try SafetensorsWriter.write(tensors, to: scratch(name + "/model.safetensors"))
    }

    @Test func onlyTheTypeDiffers() throws {
      try widen(to: "wide")
      try scratch.fail(
        "apply", "wide", Self.five, "-o", "out", "--quiet", exitCode: 3,
        message:
          "errata apply: \(Self.five): was made for this model in BF16, and wide is F32: only the dtype differs; "
          + "convert it to BF16 (--force applies it all the same)")
      let verified = try scratch.errata("verify", "wide", "--base", "samples/model", "--quiet")
      #expect(verified.exitCode == 5)
      #expect(verified.output.contains("model.norm.weight: is F32 and the base's BF16, with the same values\n"))
      #expect(verified.output.contains("\nonly the dtype differs: compare with a base in the same type\n"))
      let difference = try scratch.succeed("diff", "samples/model", "wide", "--quiet")
      #expect(difference.output.contains("BF16 [128] => F32 [128], with the same values\n"))
      #expect(difference.output.contains("\nonly the dtype differs: convert one of them to compare the rest\n"))
      let json = try scratch.succeed("diff", "samples/model", "wide", "--quiet", "--json").json
      #expect(json["only_dtype_differs"] == true)
      let presence = try scratch.succeed("diff", "wide", Self.five, "--quiet").output
      #expect(presence.contains("the base in another type (F32, not BF16): only the dtype differs\n"))
      let patch = try scratch.errata("diff", "samples/model", "wide", "-o", "x.wpatch", "--quiet")
      #expect(patch.exitCode == 1 && patch.errors.contains("with the same values)") && !scratch.exists("x.wpatch"))
    }

    // MARK: The common part

    @Test func whatIsLeftOutIsSaid() throws {
      func write(_ name: String, _ tensors: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])]) throws {
        try SafetensorsWriter.write(tensors, to: scratch(name))
      }
      func floats(_ values: [Float], _ shape: Shape) -> (dtype: DType, shape: Shape, bytes: [UInt8]) {
        (.f32, shape, values.withUnsafeBufferPointer { narrow($0, to: .f32) })
      }
      let matrix = (0..<64).map { Float($0 % 7) }
      var edited = matrix
      for index in 0..<8 { edited[index] += 2 }
      try write(
        "a.safetensors", ["w": floats(matrix, [8, 8]), "norm": floats([1, 2], [2]), "n": (.u8, [1], [1])])
      try write(
        "b.safetensors",
        [
          "m.w": floats(edited, [8, 8]), "m.norm": floats([1, 3], [2]), "m.n": (.u8, [1], [2]),
          "head": floats([.nan], [1]),
        ])
      let refused = try scratch.errata("diff", "a.safetensors", "b.safetensors", "-o", "x.wpatch", "--quiet")
      #expect(
        refused.errors
          == "errata diff: a.safetensors and b.safetensors: no patch can hold how these differ: head (not in the "
          + "base), n (U8, "
          + "and a patch edits BF16, F16 and F32 only); --common makes a patch of the other tensors, if they differ\n")
      let made = try scratch.succeed(
        "diff", "a.safetensors", "b.safetensors", "-o", "x.wpatch", "--quiet", "--common", "--no-correction")
      #expect(made.output.contains("not in the patch: head: not in the base\n"))
      #expect(made.output.contains("not in the patch: norm: its shape, [2], is no matrix's, which low rank is for\n"))
      let shown = try scratch.succeed("show", "x.wpatch").output
      #expect(shown.contains("\nleft out    head: not in the base\n"))
      #expect(shown.contains("\nleft out    norm: its shape, [2], is no matrix's, which low rank is for\n"))
      let applied = try scratch.succeed("apply", "a.safetensors", "x.wpatch", "-o", "out.safetensors", "--quiet")
      #expect(
        applied.errors
          == "note: x.wpatch: 3 tensors that differ are not in it: head (not in the base) and 2 more\n")
      let table = try scratch.succeed("diff", "a.safetensors", "b.safetensors", "--quiet").output
      #expect(table.hasPrefix("b.safetensors: its names begin with m., which is left out here\n"))
      // Which of the two is not finite.
      try write("c.safetensors", ["w": floats([.infinity] + matrix[1...], [8, 8])])
      try write("d.safetensors", ["w": floats(matrix, [8, 8])])
      #expect(
        try scratch.succeed("diff", "c.safetensors", "d.safetensors", "--quiet").output
          .contains("NaN or infinity in c.safetensors\n"))
      try scratch.fail(
        "diff", "c.safetensors", "d.safetensors", "-o", "y.wpatch", "--quiet", exitCode: 1,
        message:
          "errata diff: c.safetensors: w has NaN or infinity in it, and no patch can hold that; --common leaves "
          + "it out"
      )
    }

    @Test func aStackOfDifferencesHasTerms() throws {
      try scratch.succeed("apply", "samples/model", Self.five, "-o", "five", "--quiet")
      try scratch.succeed(
        "apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "one", "--quiet")
      for name in ["five", "one"] {
        try scratch.succeed(
          "diff", "samples/model", name, "-o", "\(name).wpatch", "--no-correction", "--rank", "3", "--quiet")
      }
      let stacked = try scratch.succeed("stack", "five.wpatch", "one.wpatch", "-o", "both.wpatch")
      #expect(stacked.output.contains(#/, \d+ terms in 3 tensors, from 2 patches: 2 batches side by side\n/#))
      let mixed = try scratch.succeed("stack", "one.wpatch", Self.five, "-o", "mixed.wpatch")
      #expect(mixed.output.contains(#/, 5 facts and \d+ terms? in 3 tensors, /#))
    }
  }
}
