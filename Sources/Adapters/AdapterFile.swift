import Foundation
import Safetensors
import Tensors

/// An adapter that somebody made: a folder in PEFT's format, a GGUF file, or a safetensors file of weight deltas.
package enum AdapterFile {
  /// - Parameters:
  ///   - path: of the folder, of `adapter_model.safetensors` or `adapter_config.json` in it, or of the file.
  ///   - base: the model that it is for.
  /// - Throws: an `ErrataError` if it is no adapter, damaged, for another model, or more than factors.
  package static func read(_ path: String, for base: AdapterBase) throws -> LowRankAdapter {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw ErrataError.danglingLink(path) ?? ErrataError.noAdapter(path, "no such file or directory")
    }
    if isDirectory.boolValue { return try PEFTAdapter.read(path, for: base) }
    let name = URL(fileURLWithPath: path).lastPathComponent
    if name == PEFTAdapter.weightsName || name == PEFTAdapter.configurationName {
      return try PEFTAdapter.read(URL(fileURLWithPath: path).deletingLastPathComponent().relativePath, for: base)
    }
    switch FileKind(path: path) {
    case .safetensors:
      let file = try SafetensorsFile(path: path)
      guard !file.header.tensors.contains(where: { $0.name.description.contains(".lora_") }) else {
        throw ErrataError.noAdapter(path, "without an adapter_config.json beside it, its scale is not known")
      }
      return try WeightDeltas.read(file, for: base)
    case .pytorch: throw ErrataError.pickledAdapter(path)
    default: return try GGUFAdapter.read(path, for: base)
    }
  }

  /// SHA-256 of the file that holds the factors.
  package static func digest(_ path: String) throws -> Digest {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    return try Digest(contentsOf: exists && isDirectory.boolValue ? "\(path)/\(PEFTAdapter.weightsName)" : path)
  }
}
