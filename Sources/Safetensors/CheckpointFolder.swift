import Foundation
import Tensors

/// What a directory holds in place of a checkpoint, as its files' names show.
enum CheckpointFolder {
  /// What is the matter with a directory that lacks `config.json` or weights; nil if nothing in it explains that.
  static func explanation(_ directory: String) -> ErrataError? {
    var names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    func first(_ suffixes: String...) -> String? { names.first { name in suffixes.contains { name.hasSuffix($0) } } }
    let hasConfiguration = names.contains(Checkpoint.configurationName)
    if names.contains("adapter_config.json") || names.contains("adapter_model.safetensors") {
      return ErrataError.adapterFolder(directory)
    }
    // Without a configuration, weights that could be read explain nothing.
    guard hasConfiguration || first(".safetensors") == nil else { return nil }
    if let shard = names.first(where: { $0.contains("-of-") && $0.hasSuffix(".safetensors") }) {
      return ErrataError.shardsWithoutIndex(directory, shard)
    }
    if let variant = names.first(where: { $0.hasPrefix("model.") && $0.hasSuffix(".safetensors") }) {
      return ErrataError.weightsUnderOtherName(directory, variant)
    }
    if let other = first(".safetensors") { return ErrataError.weightsUnderOtherName(directory, other) }
    // What a training run leaves beside its weights.
    names.removeAll { name in ["training_args", "optimizer", "scheduler", "rng_state"].contains { name.hasPrefix($0) } }
    if let other = first(".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".gguf", ".onnx") {
      return ErrataError.weightsInOtherFormat(directory, other)
    }
    return nil
  }

  /// Whether all that a file has are the factors of a low-rank adapter, as PEFT names them.
  static func isAdapter(_ header: SafetensorsHeader) -> Bool {
    !header.tensors.isEmpty
      && header.tensors.allSatisfy { tensor in
        let name = tensor.name.description
        return name.hasPrefix("base_model.") && name.contains(".lora_")
      }
  }
}
