import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Adapters

/// The rules by which servers take a PEFT folder, as their sources have them. Whether PEFT, transformers and llama.cpp
/// take it, `make interop` tries.
@Suite struct ServerRulesTests {
  private let directory: TemporaryDirectory
  private static let families = ["llama_tied", "llama_untied", "mistral", "qwen2"]

  init() throws { directory = try TemporaryDirectory() }

  /// Changes of all maps of a block, with ranks that differ.
  private func export(_ family: String) throws -> (base: AdapterBase, file: SafetensorsFile, configuration: JSON) {
    let base = try AdapterBase.golden(family)
    let ranks = base.targets.filter { $0.layer == 1 }.enumerated().map { ($1, 1 + $0 % 3) }
    let path = directory("lora")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try PEFTAdapter.write(base.randomAdapter(ranks: ranks).padded, for: base, as: .f32, in: path)
    return (
      base, try SafetensorsFile(path: path + "/adapter_model.safetensors"),
      try JSON.parse(contentsOf: path + "/adapter_config.json")
    )
  }

  /// vLLM at 0306474e: `PEFTHelper` (the fields that it requires, and those that it refuses; one rank and one scale for
  /// all modules, as it reads no patterns), `parse_fine_tuned_lora_name`, and `check_unexpected_modules`.
  @Test(arguments: families) func vLLM(family: String) throws {
    let (base, file, configuration) = try export(family)
    let rank = try #require(configuration["r"]?.integerValue)
    #expect(configuration["lora_alpha"] == .integer(rank) && configuration["target_modules"]?.arrayValue != nil)
    #expect(configuration["bias"] == "none" && configuration["modules_to_save"] == .null)
    #expect(configuration["use_dora"] == false && configuration["use_rslora"] == false)
    // The linear layers of its models, unpacked (`packed_modules_mapping`).
    let layers: Set = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    for tensor in file.header.tensors {
      let parts = tensor.name.description.split(separator: ".").map(String.init)
      #expect(parts.starts(with: ["base_model", "model"]) && parts.last == "weight", "\(tensor.name)")
      let factor = parts[parts.count - 2]
      #expect(factor == "lora_A" || factor == "lora_B", "\(tensor.name)")
      let module = parts[2..<parts.count - 2]
      #expect(layers.contains(module.last!), "\(tensor.name)")
      let target = try #require(base.targets.first { $0.module == module.joined(separator: ".") }, "\(tensor.name)")
      #expect(tensor.shape == (factor == "lora_A" ? [rank, target.inputSize] : [target.outputSize, rank]))
    }
  }

  /// Ollama at 02420803, `convert/convert_llama_adapter.go`: what it replaces in names must lead to llama.cpp's, and a
  /// factor that is wider or taller than it takes it to be would be transposed.
  @Test(arguments: ["llama_tied", "llama_untied", "mistral"]) func ollama(family: String) throws {
    let (base, file, _) = try export(family)
    let replacements = [
      ("base_model.model.", ""), ("model.layers", "blk"), ("self_attn.q_proj", "attn_q"),
      ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
      ("mlp.gate_proj", "ffn_gate"), ("mlp.down_proj", "ffn_down"), ("mlp.up_proj", "ffn_up"),
      ("lora_A.weight", "weight.lora_a"), ("lora_B.weight", "weight.lora_b"),
    ]
    let maps: Set = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_down", "ffn_up"]
    #expect(file.header.tensors.count == 2 * base.targets.count { $0.layer == 1 })
    for tensor in file.header.tensors {
      let name = replacements.reduce(tensor.name.description) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
      let match = try #require(name.wholeMatch(of: #/blk\.1\.([a-z_]+)\.weight\.lora_([ab])/#), "\(name)")
      #expect(maps.contains(String(match.1)))
      let extents = tensor.shape.extents
      #expect(match.2 == "a" ? extents[0] <= extents[1] : extents[0] >= extents[1], "\(name): \(tensor.shape)")
    }
  }
}
