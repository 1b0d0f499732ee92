import Foundation
import Tensors
import Testing

extension ToolTests {
  /// Checkpoints that cannot be used.
  @Suite struct BadModels {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// Every tool that reads a model, told to read `model`.
    private func failEverywhere(
      _ model: String, exitCode: Int32, message: String, at location: SourceLocation = #_sourceLocation
    ) throws {
      let facts = ["--facts", "samples/facts.json", "--records", "0"]
      let statistics = ["--stats", "samples/stats.safetensors"]
      for arguments in [
        ["ask", model, "Hello"],
        ["eval", model] + facts,
        ["stats", model, "--text", "samples/corpus.txt", "-o", "out"],
        ["edit", model, "-o", "out"] + facts + statistics,
      ] {
        try scratch.fail(
          arguments, exitCode: exitCode, message: "errata \(arguments[0]): \(message)", at: location)
      }
    }

    /// The tools that need no model, only its weights.
    private func failToApply(
      _ model: String, exitCode: Int32, message: String, at location: SourceLocation = #_sourceLocation
    ) throws {
      try scratch.fail(
        "apply", model, "samples/eiffel-tower.wpatch", "-o", "out", exitCode: exitCode,
        message: "errata apply: \(message)", at: location)
    }

    @Test func missing() throws {
      let message = "nowhere: no such file or directory; give a checkpoint directory or a .safetensors file"
      try failEverywhere("nowhere", exitCode: 1, message: message)
      try failToApply("nowhere", exitCode: 1, message: message)
      try scratch.fail("revert", "nowhere", "-o", "out", exitCode: 1, message: "errata revert: \(message)")
    }

    @Test func withoutConfiguration() throws {
      try scratch.copyModel()
      try scratch.remove("model/config.json")
      let message = "model: there is no config.json; is this a checkpoint directory?"
      try failEverywhere("model", exitCode: 1, message: message)
      try failToApply("model", exitCode: 1, message: message)
    }

    @Test func aBareFile() throws {
      try failEverywhere(
        "samples/model/model.safetensors", exitCode: 1,
        message: "samples/model/model.safetensors: a bare safetensors file has no config.json; "
          + "give the checkpoint's directory")
    }

    @Test func configurationNotJSON() throws {
      try scratch.copyModel()
      try scratch.write("{", to: "model/config.json")
      try failEverywhere(
        "model", exitCode: 6, message: "model/config.json: not valid JSON at byte 1: a key is expected")
    }

    @Test func unsupportedArchitecture() throws {
      try scratch.copyModel()
      let configuration = String(decoding: try scratch.bytes("model/config.json"), as: UTF8.self)
      try scratch.write(configuration.replacing(#""llama""#, with: #""mamba""#), to: "model/config.json")
      try failEverywhere(
        "model", exitCode: 1,
        message: "model/config.json: architecture 'mamba' is not supported; supported are "
          + "llama, mistral, ministral, ministral3, mistral3, qwen2, qwen3, qwen2_5_vl, qwen2_5_vl_text, "
          + "qwen3_vl, qwen3_vl_text, gemma, gemma2, gemma3, gemma3_text, gemma4, gemma4_text, phi, phi3, olmo, "
          + "olmo2, olmo3, smollm3, granite, cohere, cohere2, glm, glm4, stablelm, starcoder2, ernie4_5, "
          + "nemotron, exaone4, helium, arcee, apertus, seed_oss, hunyuan_v1_dense, gpt2, gptj, gpt_neox, "
          + "gpt_neo, gpt_bigcode, codegen, falcon, bloom, opt")
    }

    @Test func withoutTokenizer() throws {
      try scratch.copyModel()
      try scratch.remove("model/tokenizer.json")
      try failEverywhere(
        "model", exitCode: 1, message: "model: no tokenizer.json; Errata reads the Hugging Face tokenizers format")
    }

    @Test func tokenizerWithoutVocabulary() throws {
      try scratch.copyModel()
      var tokenizer = try #require(try JSON.parse(contentsOf: scratch("model/tokenizer.json")).objectValue)
      var model = try #require(tokenizer["model"]?.objectValue)
      model["vocab"] = [:]
      tokenizer["model"] = .object(model)
      try scratch.write(JSON.object(tokenizer).serialized(), to: "model/tokenizer.json")
      try failEverywhere(
        "model", exitCode: 6,
        message: "model/tokenizer.json: model.vocab: a tokenizer without a vocabulary; "
          + "use the tokenizer.json that belongs to the checkpoint")
    }

    @Test func withoutWeights() throws {
      try scratch.copyModel()
      try scratch.remove("model/model.safetensors")
      let message =
        "model: there is neither model.safetensors nor model.safetensors.index.json; "
        + "convert the checkpoint to safetensors first"
      try failEverywhere("model", exitCode: 1, message: message)
      try failToApply("model", exitCode: 1, message: message)
    }

    @Test(arguments: [
      (1_000_000, "truncated: the header describes 3482736 bytes, the file has 1000000; fetch it again"),
      (100, "truncated: the header alone needs 6000 bytes, the file has 100; fetch it again"),
      (0, "0 bytes are too few for a safetensors file; fetch it again"),
    ])
    func truncatedWeights(length: Int, message: String) throws {
      try scratch.copyModel()
      try scratch.write(try scratch.bytes("model/model.safetensors").prefix(length), to: "model/model.safetensors")
      try failEverywhere("model", exitCode: 6, message: "model/model.safetensors: \(message)")
      try failToApply("model", exitCode: 6, message: "model/model.safetensors: \(message)")
    }

    /// A weight that is not a number makes everything that it reaches so.
    @Test func notFinite() throws {
      try scratch.copyModel()
      try scratch.changeWeight(ofLayer: 1) { $0[0...1] = [0xC0, 0x7F] }
      let message =
        "model: the model's answers are not finite numbers; its weights hold NaN or infinity, or are damaged: "
        + "fetch them again"
      try scratch.fail("ask", "model", "Hello", exitCode: 1, message: "errata ask: \(message)")
      try scratch.fail(
        "eval", "model", "--facts", "samples/facts.json", "--json", exitCode: 1, message: "errata eval: \(message)")
      for layer in [1, 2] {
        try scratch.fail(
          "stats", "model", "--text", "samples/corpus.txt", "--layers", "\(layer)", "-o", "out", exitCode: 1,
          message: "errata stats: model: computes keys in layer \(layer) that are not finite; its weights hold NaN or "
            + "infinity, or values too large")
      }
      try scratch.fail(
        "apply", "model", "samples/eiffel-tower.wpatch", "--force", "-o", "out", exitCode: 1,
        message: "errata apply: samples/eiffel-tower.wpatch on model: model.layers.1.mlp.down_proj.weight[0, 0]: "
          + "is not a finite number; a tensor with NaN or infinity cannot be edited")
    }

    @Test func promptsThatCannotBeAsked() throws {
      try scratch.fail("ask", "samples/model", "", exitCode: 2, message: "errata ask: the prompt \"\" is empty")
      let long = try scratch.errata("ask", "samples/model", String(repeating: " word", count: 300))
      #expect(long.exitCode == 1)
      #expect(
        long.errors.contains(
          #/^errata ask: a sequence of [0-9]+ tokens is longer than the model's 256 positions\n$/#), "\(long.errors)")
    }
  }
}
