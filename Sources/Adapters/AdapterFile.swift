import Foundation
import Safetensors
import Tensors
import WeightPatch

/// An adapter that somebody made: a folder in PEFT's format, a GGUF file, or a safetensors or `.npz` file of weight
/// deltas.
package enum AdapterFile {
  /// - Parameters:
  ///   - path: of the folder, of `adapter_model.safetensors` or `adapter_config.json` in it, or of the file.
  ///   - base: the model that it is for.
  /// - Throws: an `ErrataError` if it is no adapter, damaged, for another model, or more than factors.
  package static func read(_ path: String, for base: AdapterBase) throws -> LowRankAdapter {
    guard FileManager.default.fileExists(atPath: path) else {
      throw ErrataError.danglingLink(path) ?? ErrataError.noAdapter(path, "no such file or directory")
    }
    if let folder = folder(path) { return try PEFTAdapter.read(folder, for: base) }
    switch FileKind(path: path) {
    case .safetensors:
      let file = try SafetensorsFile(path: path)
      guard !file.header.tensors.contains(where: { $0.name.description.contains(".lora_") }) else {
        throw ErrataError.noAdapter(path, "without an adapter_config.json beside it, its scale is not known")
      }
      return try withExtendedLifetime(file) { try WeightDeltas.read(DeltaFile(file), for: base) }
    case .numpyArchive:
      let largest = base.targets.map { $0.inputSize * $0.outputSize }.max() ?? 0
      return try WeightDeltas.read(DeltaFile(numpy: path, largestCount: largest), for: base)
    case .pytorch: throw ErrataError.pickledAdapter(path)
    default: return try GGUFAdapter.read(path, for: base)
    }
  }

  /// The folder in PEFT's format that a path names, by itself or by one of its two files; nil if it names another file.
  private static func folder(_ path: String) -> String? {
    var isDirectory: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue { return path }
    let file = URL(fileURLWithPath: path)
    guard [PEFTAdapter.weightsName, PEFTAdapter.configurationName].contains(file.lastPathComponent) else { return nil }
    return file.deletingLastPathComponent().relativePath
  }

  /// SHA-256 of the file that holds the factors.
  package static func digest(_ path: String) throws -> Digest {
    try Digest(contentsOf: folder(path).map { "\($0)/\(PEFTAdapter.weightsName)" } ?? path)
  }

  /// What a patch says of the adapter that it was imported from (format: adapter).
  ///
  /// - Parameter adapter: what was read there.
  package static func record(_ path: String, _ adapter: LowRankAdapter) throws -> Manifest.Adapter {
    var record = Manifest.Adapter(
      name: URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent, digest: try digest(path),
      scaling: adapter.commonScale)
    if let folder = folder(path) {
      let configuration = "\(folder)/\(PEFTAdapter.configurationName)"
      record.configuration = try Digest(contentsOf: configuration)
      try PEFTConfiguration(contentsOf: configuration).describe(in: &record)
    } else if FileKind(path: path) == .gguf {
      record.alpha = try GGUFAdapter.alpha(GGUFFile(path: path), path)
    }
    return record
  }
}
