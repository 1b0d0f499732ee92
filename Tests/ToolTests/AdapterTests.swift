import Foundation
import Safetensors
import Tensors
import Testing

extension ToolTests {
  /// `errata export` and `errata import`; `ask`, `eval` and `trace` with what is served.
  @Suite struct Adapters {
    let scratch: Scratch
    private let patch = "samples/twenty-facts.wpatch"
    private let tensor = "model.layers.1.mlp.down_proj"

    init() throws { scratch = try Scratch() }

    private func export(_ output: String, _ options: String...) throws -> JSON {
      try scratch.succeed(
        ["export", patch, "--base", "samples/model", "-o", output, "--json"]
          + (options.isEmpty ? ["--to", "peft"] : options)
      ).json
    }

    // MARK: PEFT

    @Test func writesWhatPEFTLoads() throws {
      let answer = try export("lora")
      #expect(answer["rank"] == 20 && answer["facts"] == 20 && answer["vllm_max_lora_rank"] == 32)
      #expect(answer["modules"]?.arrayValue?.map { $0["delta_error"]?.doubleValue } == [0])
      #expect(try scratch.names(in: "lora") == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
      let configuration = try JSON.parse(contentsOf: scratch("lora/adapter_config.json"))
      #expect(configuration["target_modules"] == [.string(ByteString(tensor))])
      #expect(configuration["r"] == 20 && configuration["lora_alpha"] == 20 && configuration["peft_type"] == "LORA")
      #expect(configuration["fan_in_fan_out"] == false && configuration["base_model_name_or_path"] == "model")
      let file = try SafetensorsFile(path: scratch("lora/adapter_model.safetensors"))
      let base = try Checkpoint(path: scratch("samples/model")).tensor(named: ByteString(tensor + ".weight")).shape
        .extents
      let names = ["A", "B"].map { ByteString("base_model.model.\(tensor).lora_\($0).weight") }
      #expect(file.header.tensors.map(\.name) == names)
      #expect(file.header[names[0]]?.shape == [20, base[1]] && file.header[names[1]]?.shape == [base[0], 20])
      let card = try String(decoding: scratch.bytes("lora/README.md"), as: UTF8.self)
      for part in [
        "base_model: \"model\"\n", "vllm serve model --enable-lora --max-lora-rank 32 --lora-modules lora=lora\n",
        "ADAPTER ./lora\n",
        "| The mother tongue of Leo Tolstoy is | Russian | French |",
      ] { #expect(card.contains(part), "\(part)") }
    }

    /// base + B A, in binary64 by numpy, is what exact apply rounds.
    @Test(.enabled(if: Python.path != nil, "there is no Python with numpy")) func isWhatApplyRounds() throws {
      _ = try export("lora")
      try scratch.succeed("apply", "samples/model", patch, "-o", "applied", "--quiet")
      try scratch.write(
        """
        import sys
        import numpy as np
        from safetensors import safe_open
        def load(path, name):
            with safe_open(path, "np") as file: return file.get_tensor(name)
        def widened(path, name):
            raw = open(path, "rb").read(); start = 8 + int.from_bytes(raw[:8], "little")
            import json
            entry = json.loads(raw[8:start])[name]; a, b = entry["data_offsets"]
            if entry["dtype"] == "F32": return np.frombuffer(raw[start + a:start + b], "<f4").reshape(entry["shape"])
            half = np.frombuffer(raw[start + a:start + b], "<u2").astype(np.uint32) << 16
            return half.view(np.float32).reshape(entry["shape"])
        name = "model.layers.1.mlp.down_proj"
        A, B = (load("lora/adapter_model.safetensors", f"base_model.model.{name}.lora_{x}.weight") for x in "AB")
        base, applied = (
            widened(f"{folder}/model.safetensors", name + ".weight") for folder in ("samples/model", "applied"))
        exact = base.astype(np.float64) + B.astype(np.float64) @ A.astype(np.float64)
        # Half a unit in the last place of bfloat16, or of float32 where the model is stored so.
        assert np.all(np.abs(exact - applied) <= 2.0 ** -8 * np.abs(exact) * 1.0001 + 1e-30)
        assert np.mean(np.abs(applied - base) > 0) > 0.5
        """, to: "check.py")
      let result = try Tool.run(Python.path!, ["check.py"], in: scratch.path)
      #expect(result.exitCode == 0, "\(result.errors)")
    }

    @Test func coversAllLayersAndRanks() throws {
      let answer = try export("all", "--to", "peft", "--all-modules", "--rank", "3", "--type", "bf16")
      #expect(answer["rank"] == 3)
      let modules = try #require(answer["modules"]?.arrayValue)
      #expect(modules.count > 1 && modules.count { $0["terms"] == 3 } == 1 && modules.count { $0["terms"] == 0 } > 0)
      let lost = try #require(modules.first { $0["terms"] == 3 }?["delta_error"]?.doubleValue)
      #expect(lost > 1e-4 && lost < 1e-2)
      // Mixed ranks: 20 terms in one layer, 5 in others.
      let both = try scratch.succeed(
        "export", patch, "samples/five-facts.wpatch", patch, "--to", "peft", "--base", "samples/model", "-o", "both",
        "--json"
      ).json
      #expect(both["rank"] == 25 && both["modules"]?.arrayValue?.map { $0["terms"] } == [5, 25, 5])
      #expect(both["facts"] == 25 && both["vllm_max_lora_rank"] == 32)
    }

    @Test func neverOverwrites() throws {
      _ = try export("lora")
      try scratch.fail(
        "export", patch, "--to", "gguf", "--base", "samples/model", "-o", "lora", exitCode: 1,
        message: "errata export: lora: is there already; name another output")
      try scratch.fail(
        "export", patch, "--to", "peft", "--base", "samples/model", "-o", "none/lora", exitCode: 1,
        message: "errata export: none/lora: cannot write: its directory does not exist; make it first")
    }

    // MARK: GGUF

    @Test func writesWhatLlamaLoads() throws {
      let answer = try export("fix.gguf", "--to", "gguf", "--type", "f16")
      #expect(answer["modules"]?.arrayValue?.map { $0["gguf"] } == ["blk.1.ffn_down.weight"])
      let lost = try #require(answer["modules"]?.arrayValue?[0]["delta_error"]?.doubleValue)
      #expect(lost < 1e-3)
      #expect(try scratch.bytes("fix.gguf").starts(with: Array("GGUF".utf8)))
      // Once more as a patch.
      try scratch.succeed("import", "fix.gguf", "--base", "samples/model", "-o", "back.wpatch")
      try scratch.succeed("apply", "samples/model", "back.wpatch", "-o", "applied", "--quiet")
      let asked = try scratch.succeed(
        "ask", "applied", "--plain", "--tokens", "1", "The mother tongue of Leo Tolstoy is")
      #expect(asked.output == "The mother tongue of Leo Tolstoy is French\n")
    }

    // MARK: Import

    /// Export and import lose nothing in float32: the bytes of the applied checkpoint are the same, and go back.
    @Test func comesBackBitForBit() throws {
      _ = try export("lora")
      let imported = try scratch.succeed("import", "lora", "--base", "samples/model", "-o", "lora.wpatch", "--json")
        .json
      #expect(imported["tensors"]?.arrayValue?.map { $0["delta_error"]?.doubleValue } == [0])
      try scratch.succeed("apply", "samples/model", patch, "-o", "applied", "--quiet")
      try scratch.succeed("apply", "samples/model", "lora.wpatch", "-o", "merged", "--quiet")
      #expect(try scratch.bytes("applied/model.safetensors") == scratch.bytes("merged/model.safetensors"))
      try scratch.succeed("verify", "merged", "--base", "samples/model", "--quiet")
      try scratch.succeed("revert", "merged", "--all", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
      let shown = try scratch.succeed("show", "lora.wpatch", "--json").json["manifest"]?["batches"]?.arrayValue?[0]
      #expect(shown?["terms"] == "components" && shown?["method"]?["name"] == "lora")
      let digest = try Digest(contentsOf: scratch("lora/adapter_model.safetensors"))
      let configuration = try Digest(contentsOf: scratch("lora/adapter_config.json"))
      let record = shown?["adapter"]
      #expect(record?["name"] == "lora" && record?["rank"] == 20)
      #expect(record?["alpha"]?.doubleValue == 20 && record?["scaling"]?.doubleValue == 1)
      #expect(
        record?["sha256"] == JSON(digest.description) && record?["config_sha256"] == JSON(configuration.description))
      #expect(
        try scratch.succeed("show", "lora.wpatch").output.contains(
          "adapter     lora, digest \(digest.abbreviated), r 20, alpha 20, scale 1\n"))
      try scratch.succeed("compact", "lora.wpatch", "--rank", "2", "--norm", "weights", "-o", "small.wpatch")
      try scratch.succeed("stack", "lora.wpatch", "samples/five-facts.wpatch", "-o", "stack.wpatch")
      #expect(try scratch.succeed("diff", patch, "lora.wpatch", "--json").json["different"] == true)
    }

    /// What an adapter does to the facts beside it is predicted by `stack`, and `show` says the same of the stack.
    @Test func saysWhatAnAdapterDoesToFacts() throws {
      try scratch.succeed(
        "export", "samples/five-facts.wpatch", "--base", "samples/model", "--to", "peft", "-o", "lora")
      try scratch.succeed("import", "lora", "--base", "samples/model", "-o", "lora.wpatch")
      try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-2", "--stats",
        "samples/stats.safetensors", "--layers", "1", "--keys", "-o", "facts.wpatch", "--quiet")
      let stacked = try scratch.succeed(
        "stack", "facts.wpatch", "lora.wpatch", "--threshold", "0", "-o", "both.wpatch", "--json"
      ).json
      let predicted = try #require(stacked["interference"]?["facts"]?.arrayValue)
      #expect(predicted.count == 3 && predicted.allSatisfy { $0["mostly_by"] == .null })
      let shown = try scratch.succeed("show", "both.wpatch", "--json").json
      let facts = try #require(shown["manifest"]?["batches"]?.arrayValue?.firstIndex { $0["terms"] != "components" })
      let tensor = try #require(shown["figures"]?.arrayValue?[facts][ByteString(tensor + ".weight")])
      let shares = tensor["disturbance"]?.arrayValue?.compactMap(\.doubleValue) ?? []
      let expected = predicted.compactMap { $0["share"]?.doubleValue }
      #expect(zip(shares.sorted(by: >), expected).allSatisfy { abs($0 - $1) < 1e-9 * $1 } && shares.count == 3)
      #expect(try scratch.succeed("show", "both.wpatch").output.contains("disturbed"))
      // A patch without keys does not tell, and says who does.
      try scratch.succeed("stack", patch, "lora.wpatch", "-o", "bare.wpatch")
      #expect(
        try scratch.succeed("show", "bare.wpatch").output.contains(
          "what the components beside these facts do to them takes keys: 'errata stack' says it with --stats\n"))
    }

    // MARK: What is served

    @Test func asksWhatIsServed() throws {
      _ = try export("lora")
      _ = try export("fix.gguf", "--to", "gguf")
      let prompt = "The mother tongue of Leo Tolstoy is"
      for served in [["--adapter", "lora"], ["--adapter", "fix.gguf"], ["--patch", patch]] {
        let answer = try scratch.succeed(["ask", "samples/model", "--plain", "--tokens", "1", prompt] + served)
        #expect(answer.output == "\(prompt) French\n")
      }
      #expect(
        try scratch.succeed("ask", "samples/model", "--plain", "--tokens", "1", prompt).output == "\(prompt) Russian\n")
      let traced = try scratch.succeed("trace", "samples/model", prompt, "--adapter", "lora")
      #expect(traced.output.contains("French") && traced.output.contains("Russian") && traced.output.contains("lora"))
    }

    @Test func scoresWhatIsServed() throws {
      _ = try export("lora", "--to", "peft", "--type", "bf16")
      try scratch.succeed("apply", "samples/model", patch, "-o", "applied", "--quiet")
      let options = ["--facts", "samples/facts.json", "--records", "0-9", "--csv", "-", "--quiet"]
      let served = try scratch.succeed(["eval", "samples/model", "applied", "--adapter", "lora"] + options).output
      func value(_ model: String) throws -> Double {
        let line = try #require(served.split(separator: "\n").first { $0.hasPrefix("\(model),facts,P(new),") })
        return try #require(Double(line.split(separator: ",")[3]))
      }
      let (base, applied) = (try value("samples/model"), try value("applied"))
      let adapter = try value("samples/model + lora")
      #expect(base < 0.1 * applied && abs(adapter - applied) < 0.02 * applied && adapter != applied)
    }

    @Test func checksItsOwnFacts() throws {
      let answer = try export("lora", "--to", "peft", "--check")
      let facts = try #require(answer["check"]?.arrayValue)
      #expect(facts.count == 20)
      for fact in facts {
        let (before, applied) = (try #require(fact["before"]?.doubleValue), try #require(fact["applied"]?.doubleValue))
        let exported = try #require(fact["exported"]?.doubleValue)
        #expect(before < 0.5 && applied > 0.8 && abs(exported - applied) < 0.01)
      }
      let lines = try scratch.succeed(
        "export", patch, "--to", "gguf", "--base", "samples/model", "-o", "fix.gguf", "--check"
      ).output
      #expect(lines.contains("P before  P applied  P exported\n"))
      #expect(
        lines.hasSuffix(
          "fix.gguf: a GGUF adapter of 1 patch, 20 facts, rank 20, scale 1, F32\nllama-server -m model.gguf --lora "
            + "fix.gguf\n"
        ))
    }

    // MARK: Refusals

    @Test func refusesByName() throws {
      try scratch.copyModel(to: "other")
      var bytes = try scratch.bytes("other/model.safetensors")
      bytes[bytes.count - 1] ^= 1
      try scratch.write(bytes, to: "other/model.safetensors")
      try scratch.succeed("diff", "samples/model", "other", "-o", "exact.wpatch", "--quiet")
      let result = try scratch.errata(
        "export", "exact.wpatch", "--to", "peft", "--base", "samples/model", "-o", "lora")
      #expect(result.exitCode == 1 && result.errors.hasPrefix("errata export: exact.wpatch: "))
      #expect(
        result.errors.contains("which no adapter can hold") || result.errors.contains("linear maps of a model's blocks")
      )
      #expect(!scratch.exists("lora"))
      try scratch.succeed("apply", "samples/model", patch, "-o", "applied", "--quiet")
      try scratch.fail(
        "export", patch, "--to", "peft", "--base", "applied", "-o", "lora", exitCode: 4,
        message:
          "errata export: applied: carries patches, and an adapter is for the base alone; take a copy from 'errata "
          + "revert applied --all -o BASE'")
      try scratch.fail(
        "import", "samples/model", "--base", "samples/model", "-o", "x.wpatch", exitCode: 1,
        message: "errata import: samples/model: there is no adapter_config.json in it; give a folder with "
          + "adapter_config.json and adapter_model.safetensors, or a GGUF adapter")
    }
  }
}

/// A Python with numpy.
private enum Python {
  static let path: String? = {
    let named = ProcessInfo.processInfo.environment["ERRATA_PYTHON"]
    return [named, Samples.root + "/.venv/bin/python"].compactMap(\.self).first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }()
}
