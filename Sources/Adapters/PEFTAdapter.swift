import Foundation
import Safetensors
import Tensors

/// A PEFT adapter: `adapter_config.json` and `adapter_model.safetensors` in a folder (huggingface/peft,
/// `save_and_load.py`).
package enum PEFTAdapter {
  package static let configurationName = "adapter_config.json"
  package static let weightsName = "adapter_model.safetensors"
  /// What PEFT puts before the names of a model's modules.
  private static let prefix = "base_model.model."

  // MARK: - Writing

  /// Writes the two files. All modules have one rank, and the scale is 1.
  ///
  /// - Parameters:
  ///   - adapter: padded.
  ///   - dtype: `.f32`, `.f16` or `.bf16`.
  ///   - folder: one that is there.
  static func write(_ adapter: LowRankAdapter, for base: AdapterBase, as dtype: DType, in folder: String) throws {
    var tensors: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [:]
    for module in adapter.modules {
      for (name, matrix) in [("lora_A", module.right), ("lora_B", module.left)] {
        tensors[ByteString("\(prefix)\(module.target.module).\(name).weight")] =
          (dtype, [matrix.rows, matrix.columns], matrix.stored(as: dtype))
      }
    }
    try SafetensorsWriter.write(tensors, metadata: ["format": "pt"], to: "\(folder)/\(weightsName)")
    let text = configuration(adapter, for: base).prettyPrinted()
    try AtomicFile.write(Array(text.utf8), to: "\(folder)/\(configurationName)")
  }

  private static func configuration(_ adapter: LowRankAdapter, for base: AdapterBase) -> JSON {
    [
      "alpha_pattern": [:], "base_model_name_or_path": JSON(base.name), "bias": "none",
      "fan_in_fan_out": .bool(base.architecture.storesTransposed), "inference_mode": true,
      "init_lora_weights": true, "layers_pattern": .null, "layers_to_transform": .null,
      "lora_alpha": .integer(adapter.rank), "lora_dropout": 0.0, "modules_to_save": .null, "peft_type": "LORA",
      "r": .integer(adapter.rank), "rank_pattern": [:], "revision": .null,
      // Whole names: the last part of one may be that of another map, as GPT-2's c_proj is.
      "target_modules": .array(adapter.modules.map { JSON($0.target.module) }), "task_type": "CAUSAL_LM",
      "use_dora": false, "use_rslora": false,
    ]
  }

  // MARK: - Reading

  /// - Parameters:
  ///   - path: the folder.
  ///   - base: whose modules it changes.
  /// - Throws: an `ErrataError` if a file is missing or damaged, if it asks for what factors cannot say, or if it does
  ///   not fit the base.
  static func read(_ path: String, for base: AdapterBase) throws -> LowRankAdapter {
    for name in [configurationName, weightsName] where !FileManager.default.fileExists(atPath: "\(path)/\(name)") {
      let pickle = name == weightsName && FileManager.default.fileExists(atPath: "\(path)/adapter_model.bin")
      throw ErrataError.danglingLink("\(path)/\(name)")
        ?? ErrataError.noAdapter(
          path,
          pickle
            ? "its weights are a pickle, adapter_model.bin, which can run code; convert it to safetensors first"
            : "there is no \(name) in it")
    }
    let configuration = try PEFTConfiguration(contentsOf: "\(path)/\(configurationName)")
    return try read(SafetensorsFile(path: "\(path)/\(weightsName)"), configuration, for: base)
  }

  private static func read(
    _ file: SafetensorsFile, _ configuration: PEFTConfiguration, for base: AdapterBase
  ) throws -> LowRankAdapter {
    var factors = FactorPairs(path: file.path)
    for info in file.header.tensors {
      let name = info.name.description
      guard let (module, isLeft) = try parse(name, file.path) else {
        throw ErrataError.adapterUnsupported(file.path, "\"\(name)\" is no factor of a linear map")
      }
      let matrix = try FactorPairs.matrix(file.path, name, info.dtype, info.shape, file.bytes(of: info))
      try factors.add(matrix, module: module, isLeft: isLeft)
    }
    return try withExtendedLifetime(file) {
      try factors.adapter(
        for: base, missing: ("lora_A", "lora_B"), placement: base.placement(module:),
        scale: { configuration.scale(of: $0, rank: $1) })
    }
  }

  /// The module of a tensor's name, and which factor it is: `base_model.model.M.lora_A.weight`, also with the adapter's
  /// name behind `lora_A`, and without what PEFT puts before the module.
  ///
  /// - Returns: nil if it is none.
  private static func parse(_ name: String, _ path: String) throws -> (module: String, isLeft: Bool)? {
    if name.contains("lora_magnitude_vector") {
      throw ErrataError.adapterUnsupported(path, "\"\(name)\": it normalizes the weights too (DoRA)")
    }
    if name.contains("lora_embedding_") {
      throw ErrataError.adapterUnsupported(path, "\"\(name)\": it changes embeddings")
    }
    let pattern = #/(?:base_model\.model\.|base_model\.)?(.+)\.lora_([AB])(?:\.[^.]+)??(?:\.weight)?/#
    guard let match = name.wholeMatch(of: pattern) else { return nil }
    return (String(match.1), match.2 == "B")
  }
}
