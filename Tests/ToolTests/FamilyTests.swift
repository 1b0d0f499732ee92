import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

extension ToolTests {
  /// Every supported family from second moments to revert, on its tiny random model and a tokenizer of single bytes.
  @Suite struct Families {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test(arguments: GoldenFamily.all) func fromStatisticsToRevert(family: GoldenFamily) throws {
      try prepare(family)
      try scratch.succeed(
        "stats", "model", "--text", "corpus.txt", "--layers", "1,2", "--tokens", "6000", "--sequence-length", "48",
        "-o", "stats.safetensors")
      let edited = try scratch.succeed(editing(layers: "1", method: "emmet", output: "one.wpatch"))
      try checkFacts(edited, family)
      let manifest = try scratch.succeed("show", "one.wpatch", "--json").json
      #expect(try manifest["manifest"]?["base"]?["architecture"] == modelType())

      try scratch.succeed("apply", "model", "one.wpatch", "-o", "edited")
      try scratch.succeed("verify", "edited", "--base", "model")
      let before = try scratch.succeed("ask", "model", "--tokens", "2", "Ann lives in").output
      let after = try scratch.succeed("ask", "edited", "--tokens", "2", "Ann lives in").output
      #expect(before != after || !family.learns)
      let scores = try scratch.succeed("eval", "model", "edited", "--facts", "facts.json").output
      #expect(scores.contains("edited"))
      try scratch.succeed("revert", "edited", "-o", "restored")
      for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        #expect(try scratch.bytes("restored/" + file) == scratch.bytes("model/" + file))
      }
    }

    @Test(arguments: GoldenFamily.all) func severalLayersAndOneFact(family: GoldenFamily) throws {
      try prepare(family)
      try scratch.succeed(
        "stats", "model", "--text", "corpus.txt", "--layers", "1,2", "--tokens", "6000", "--sequence-length", "48",
        "-o", "stats.safetensors")
      let several = editing(layers: "1-2", method: "memit", output: "two.wpatch") + ["-w", "1"]
      if try normalizesDownOutput() {
        let type = try #require(try modelType()?.stringValue)
        let message =
          "errata edit: memit on \(type), which normalizes what an edit changes, edits one layer; give one with "
          + "--layers"
        try scratch.fail(several, exitCode: 2, message: message)
      } else {
        try checkFacts(try scratch.succeed(several), family)
      }
      try checkFacts(
        try scratch.succeed(editing(layers: "2", method: "rome", output: "rome.wpatch") + ["--records", "0"]), family)
    }

    /// Layers, method and templates are the tools' choice: what somebody does first with a model that nobody has heard
    /// of.
    @Test(arguments: GoldenFamily.all) func noOptionButFactsAndSecondMoments(family: GoldenFamily) throws {
      try prepare(family)
      try scratch.succeed("stats", "model", "--text", "corpus.txt", "-o", "stats.safetensors")
      let edited = try scratch.succeed(
        "edit", "model", "--facts", "facts.json", "--stats", "stats.safetensors", "--json", "-o", "fix.wpatch")
      #expect(edited.errors.contains("by its depth, its second moments and a probe of a few prompts"))
      #expect(try edited.json["facts"]?.arrayValue?.count == 2)
      try scratch.succeed("apply", "model", "fix.wpatch", "--in-place")
      try scratch.succeed("revert", "model", "--in-place")
      #expect(
        try scratch.bytes("model/model.safetensors")
          == Array(Data(contentsOf: URL(fileURLWithPath: family.path + "/model.safetensors"))))
    }

    private func editing(layers: String, method: String, output: String) -> [String] {
      [
        "edit", "model", "--facts", "facts.json", "--stats", "stats.safetensors", "--templates", "templates.json",
        "--layers", layers, "--method", method, "--steps", "25", "--weight-decay", "0", "--kl-factor", "0", "--json",
        "--quiet",
        "--ridge", "1e-4", "-o", output,
      ]
    }

    /// A random model is no good learner, but some learn. In others an edit of the subject's last token does not reach
    /// the last one, through a window of four tokens or behind the last keys, or moves everything else as well.
    private func checkFacts(_ result: ToolResult, _ family: GoldenFamily) throws {
      let facts = try #require(try result.json["facts"]?.arrayValue)
      #expect(!facts.isEmpty)
      for fact in facts {
        let before = try #require(fact["probability_before"]?.doubleValue)
        let after = try #require(fact["probability_after"]?.doubleValue)
        #expect(family.learns ? after > before : after > 0 && after < 1, "\(before) to \(after)")
        #expect(fact["steps"]?.integerValue ?? 0 > 0)
      }
    }

    private func modelType() throws -> JSON? { try JSON.parse(contentsOf: scratch("model/config.json"))["model_type"] }

    /// Whether the model has a norm behind the down-projection.
    private func normalizesDownOutput() throws -> Bool {
      let names = try Checkpoint(path: scratch("model")).tensorNames.map(\.description)
      let isBehind =
        try JSON.parse(contentsOf: scratch("model/config.json"))["do_layer_norm_before"]?.boolValue == false
      return isBehind
        || names.contains {
          $0.hasSuffix("post_feedforward_layernorm.weight") || $0.hasSuffix("post_mlp_layernorm.weight")
        }
    }

    private func prepare(_ family: GoldenFamily) throws {
      try FileManager.default.createDirectory(atPath: scratch("model"), withIntermediateDirectories: true)
      for file in ["config.json", "model.safetensors"] {
        try FileManager.default.copyItem(atPath: "\(family.path)/\(file)", toPath: scratch("model/" + file))
      }
      try scratch.write(Self.tokenizer.serialized(), to: "model/tokenizer.json")
      // The bare prompt, whose probability is measured: with more, a random model trades one for another.
      try scratch.write(#"["{}"]"#, to: "templates.json")
      try scratch.write(
        """
        [{"requested_rewrite": {"prompt": "{} lives in", "subject": "Ann", "target_new": {"str": "Ro"},
          "target_true": {"str": "Ur"}}, "paraphrase_prompts": ["Home of Ann:"],
          "neighborhood_prompts": ["Eve lives in"]},
         {"requested_rewrite": {"prompt": "The cat of {} is", "subject": "Bob", "target_new": {"str": "ok"},
          "target_true": {"str": "no"}}, "paraphrase_prompts": [], "neighborhood_prompts": ["The cat of Eve is"]}]
        """, to: "facts.json")
      // Letters in no order: every key is another.
      var state: UInt64 = 1
      let text = (0..<8000).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ   .,")[Int(state >> 33) % 57].asciiValue!
      }
      try scratch.write(text, to: "corpus.txt")
    }

    /// Byte-level BPE without merges: byte b is token b.
    private static let tokenizer: JSON = {
      let printable = Set(Array(33...126) + Array(161...172) + Array(174...255))
      var shifted = 256
      var vocabulary = JSONObject()
      for byte in 0..<256 {
        var scalar = byte
        if !printable.contains(byte) {
          scalar = shifted
          shifted += 1
        }
        vocabulary[ByteString(String(Character(Unicode.Scalar(UInt32(scalar))!)))] = .integer(byte)
      }
      let byteLevel: JSON = ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true]
      return [
        "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": [], "normalizer": .null,
        "pre_tokenizer": byteLevel, "post_processor": byteLevel, "decoder": byteLevel,
        "model": [
          "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
          "end_of_word_suffix": .null, "fuse_unk": false, "byte_fallback": false, "vocab": .object(vocabulary),
          "merges": [],
        ],
      ]
    }()
  }
}

extension GoldenFamily {
  fileprivate var learns: Bool { Self.tiny.contains { $0.name == name } }
}
