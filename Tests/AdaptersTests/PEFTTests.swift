import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Adapters

/// PEFT's folders, as others write them.
@Suite struct PEFTTests {
  let directory: TemporaryDirectory
  let base: AdapterBase
  private let target: AdapterBase.Target

  init() throws {
    directory = try TemporaryDirectory()
    base = try .golden("llama_tied")
    target = base.downProjection(0)
  }

  private var path: String { directory("lora") }

  /// A pair of factors of rank two: lora_A holds ones, lora_B twos.
  private func pair(_ a: String, _ b: String) -> [String: (Shape, [Float])] {
    [
      a: ([2, target.inputSize], Array(repeating: 1, count: 2 * target.inputSize)),
      b: ([target.outputSize, 2], Array(repeating: 2, count: 2 * target.outputSize)),
    ]
  }

  private var usual: [String: (Shape, [Float])] {
    pair(
      "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight",
      "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight")
  }

  /// What a reader says of a folder; nil if it takes it.
  private func error(
    _ tensors: [String: (Shape, [Float])]? = nil, _ configuration: [String: JSON] = [:]
  ) throws -> ErrataError? {
    try writePEFT(tensors ?? usual, configuration, to: path)
    do {
      _ = try AdapterFile.read(path, for: base)
      return nil
    } catch let error as ErrataError {
      return error
    }
  }

  @Test(arguments: [
    "base_model.model.model.layers.0.mlp.down_proj.lora_#.weight",
    "base_model.model.model.layers.0.mlp.down_proj.lora_#.default.weight",
    "model.layers.0.mlp.down_proj.lora_#.weight", "base_model.model.layers.0.mlp.down_proj.lora_#.my-adapter.weight",
    "base_model.model.model.language_model.layers.0.mlp.down_proj.lora_#.weight",
  ]) func takesTheNamesThatAreInUse(_ pattern: String) throws {
    try writePEFT(
      pair(pattern.replacingOccurrences(of: "#", with: "A"), pattern.replacingOccurrences(of: "#", with: "B")), [:],
      dtype: .bf16, to: path)
    let adapter = try AdapterFile.read(path, for: base)
    #expect(adapter.modules.map(\.target.tensor) == [target.tensor] && adapter.modules[0].scale == 2)
    #expect(adapter.modules[0].left.elements.allSatisfy { $0 == 2 })
  }

  /// alpha / r, alpha / sqrt(r), and patterns by a module's name.
  @Test(
    arguments: [
      (["lora_alpha": 16], 8.0), (["lora_alpha": 16, "use_rslora": true], 16 / 2.0.squareRoot()),
      (["alpha_pattern": ["down_proj": 1]], 0.5), (["alpha_pattern": ["layers\\.0\\.mlp\\.down_proj": 6]], 3),
      (["alpha_pattern": ["^model.layers.0.mlp.down_proj": 6]], 3), (["alpha_pattern": ["^down_proj": 6]], 2),
      (["alpha_pattern": ["own_proj": 6]], 2), (["lora_alpha": .null], 4),
    ] as [([String: JSON], Double)]) func scales(_ configuration: [String: JSON], _ scale: Double) throws
  {
    try writePEFT(usual, configuration, to: path)
    #expect(try AdapterFile.read(path, for: base).modules[0].scale == scale)
  }

  @Test func refusesByNameWhatFactorsCannotSay() throws {
    let config = path + "/adapter_config.json"
    let merge = ", which factors beside the weights cannot say; merge it, and make a difference of the result"
    func refused(_ field: String, _ value: JSON, _ what: String) throws {
      #expect(try error(nil, [field: value]) == ErrataError(.general, "\(config): \(what)\(merge)"))
    }
    try refused("peft_type", "IA3", "its 'peft_type' is 'IA3', not LORA")
    try refused("use_dora", true, "'use_dora': it normalizes the weights too (DoRA)")
    try refused("lora_bias", true, "'lora_bias': its factors have biases")
    try refused("bias", "all", "'bias': it changes biases")
    try refused("modules_to_save", ["lm_head"], "'modules_to_save': it has whole modules of its own")
    try refused("target_parameters", ["x"], "'target_parameters': it changes more than linear maps of blocks")
    let weights = path + "/adapter_model.safetensors"
    var tensors = usual
    tensors["base_model.model.model.embed_tokens.lora_embedding_A"] = ([1, 1], [1])
    #expect(
      try error(tensors)
        == ErrataError(
          .general,
          "\(weights): \"base_model.model.model.embed_tokens.lora_embedding_A\": it changes embeddings\(merge)"))
    tensors = usual
    tensors["base_model.model.lm_head.weight"] = ([1, 1], [1])
    #expect(
      try error(tensors)
        == ErrataError(
          .general, "\(weights): \"base_model.model.lm_head.weight\" is no factor of a linear map\(merge)"))
  }

  @Test func refusesWhatIsDamagedOrForAnother() throws {
    let weights = path + "/adapter_model.safetensors"
    let name = "model.layers.0.mlp.down_proj"
    var tensors = usual
    tensors["base_model.model.\(name).lora_B.weight"]!.1[3] = .nan
    #expect(
      try error(tensors)
        == ErrataError(
          .damagedInput,
          "\(weights): \"base_model.model.\(name).lora_B.weight\" holds NaN or infinity; fetch the file again, or "
            + "train it anew"))
    tensors = usual
    tensors["base_model.model.\(name).lora_B.weight"] = nil
    #expect(
      try error(tensors) == ErrataError(.damagedInput, "\(weights): \"\(name)\" has no lora_B; fetch the file again"))
    tensors = usual
    tensors["base_model.model.\(name).lora_B.weight"] = ([1, 2], [1, 1])
    #expect(
      try error(tensors)
        == ErrataError(
          .baseMismatch,
          "\(weights): \"\(name)\" is for a tensor of shape [1, \(target.inputSize)], and the base's is "
            + "[\(target.outputSize), \(target.inputSize)]; it belongs to another model"))
    tensors["base_model.model.\(name).lora_B.weight"] = ([1, 3], [1, 1, 1])
    #expect(
      try error(tensors)
        == ErrataError(
          .damagedInput, "\(weights): \"\(name)\": one of its factors has rank 2, the other 3"))
    let other = "base_model.model.vision_tower.layers.0.mlp.down_proj.lora_"
    #expect(
      try error(pair(other + "A.weight", other + "B.weight"))
        == ErrataError(
          .baseMismatch,
          "\(weights): \"vision_tower.layers.0.mlp.down_proj\" is no linear map of a block of "
            + "\(base.checkpoint.path); it "
            + "belongs to another model, or changes what no patch of factors can"))
    #expect(
      try error(nil, ["alpha_pattern": ["(a+)+b": 6]])
        == ErrataError(
          .damagedInput,
          "\(path)/adapter_config.json: 'alpha_pattern' is not one of modules' names; write them in place of '(a+)+b'"))
  }

  @Test func refusesPicklesAndMissingFiles() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let advice =
      "; give a folder with adapter_config.json and adapter_model.safetensors, or a GGUF adapter"
    #expect(
      throws: ErrataError(.general, "\(path): there is no adapter_config.json in it\(advice)")
    ) { try AdapterFile.read(path, for: base) }
    try directory.write("{}", to: "lora/adapter_config.json")
    try directory.write("", to: "lora/adapter_model.bin")
    #expect(
      throws: ErrataError(
        .general,
        "\(path): its weights are a pickle, adapter_model.bin, which can run code; convert it to safetensors "
          + "first\(advice)"
      )
    ) { try AdapterFile.read(path, for: base) }
    #expect(
      throws: ErrataError(.general, "\(directory("none")): no such file or directory\(advice)")
    ) { try AdapterFile.read(directory("none"), for: base) }
  }

  /// The adapter's own words on rank and scale, and where a module has another.
  @Test func recordsWhereItComesFrom() throws {
    var tensors = usual
    for (index, factor) in ["A", "B"].enumerated() {
      let other = base.downProjection(1)
      let count = 2 * (index == 0 ? other.inputSize : other.outputSize)
      tensors["base_model.model.\(other.module).lora_\(factor).weight"] = (
        index == 0 ? [2, other.inputSize] : [other.outputSize, 2], Array(repeating: 1, count: count)
      )
    }
    try writePEFT(
      tensors, ["lora_alpha": 8, "use_rslora": true, "alpha_pattern": ["layers.1.mlp.down_proj": 2]], to: path)
    for place in [path, path + "/adapter_config.json", path + "/"] {
      let imported = try ImportedAdapter(AdapterFile.read(place, for: base), for: base, path: place)
      let batch = imported.manifest.batches[0]
      let record = try #require(batch.adapter)
      #expect(record.digest == (try Digest(contentsOf: path + "/adapter_model.safetensors")))
      #expect(record.configuration == (try Digest(contentsOf: path + "/adapter_config.json")))
      #expect(record.alpha == 8 && record.rank == 2 && record.isRankStabilized && record.dropped.isEmpty)
      #expect(record.scaling == 2 / 2.0.squareRoot())
      #expect(batch.tensors[target.tensor]?.scaling == 8 / 2.0.squareRoot())
      #expect(batch.tensors[base.downProjection(1).tensor]?.scaling == nil)
    }
    #expect(try AdapterFile.record(path + "/", AdapterFile.read(path, for: base)).name == "lora")
  }

  /// A patch stores the adapter's own values, and says what a scale that is no power of two costs.
  @Test func importsExactly() throws {
    try writePEFT(usual, [:], dtype: .f16, to: path)
    let exact = try ImportedAdapter(AdapterFile.read(path, for: base), for: base, path: path)
    #expect(exact.modules.map(\.error) == [0] && exact.modules[0].storage == "F16 F16")
    #expect(exact.batch.tensors[0].leftValues()!.elements.allSatisfy { $0 == 4 })
    try writePEFT(usual, ["use_rslora": true], to: path)
    let rounded = try ImportedAdapter(AdapterFile.read(path, for: base), for: base, path: path)
    #expect(rounded.modules[0].error > 0 && rounded.modules[0].error < 6e-8)
    #expect(rounded.manifest.batches[0].method.name == "lora" && rounded.manifest.batches[0].terms == .components)
    // As before training: B is zero.
    var tensors = usual
    let name = "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight"
    tensors[name]!.1 = tensors[name]!.1.map { _ in 0 }
    try writePEFT(tensors, [:], to: path)
    #expect(
      throws: ErrataError(
        .general, "\(path): changes nothing: one factor of every pair is zero, as before training")
    ) { try ImportedAdapter(AdapterFile.read(path, for: base), for: base, path: path) }
  }
}
