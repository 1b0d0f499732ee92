import Foundation
import Safetensors
import Tensors
import Transformer

/// The model that an adapter is for: its linear maps by the names that tensors, PEFT and llama.cpp have for them.
package struct AdapterBase: Sendable {
  /// A linear map that an adapter can change.
  package struct Target: Sendable {
    /// Its place among all of them.
    package let position: Int
    /// As the checkpoint names it.
    package let tensor: ByteString
    package let layer: Int
    package let role: Architecture.MapRole
    /// As transformers names the module: `model.layers.3.mlp.down_proj`.
    package let module: String
    /// As llama.cpp names the tensor: `blk.3.ffn_down.weight`; nil where its rows stand in another order there, or
    /// where it does not know the architecture.
    package let ggufName: String?
    package let dtype: DType
    /// As stored.
    package let shape: Shape
    /// Whether it is stored [d_in, d_out].
    package let isTransposed: Bool

    package var outputSize: Int { shape.extents[isTransposed ? 1 : 0] }
    package var inputSize: Int { shape.extents[isTransposed ? 0 : 1] }
  }

  package let checkpoint: Checkpoint
  package let architecture: Architecture
  package let targets: [Target]
  private let byTensor: [ByteString: Int]
  private let byPath: [String: Int]
  private let byGGUFName: [String: Int]

  /// - Throws: an `ErrataError` if the checkpoint is no directory, if its architecture is not supported, or if a map's
  ///   tensor is missing or no matrix.
  package init(_ checkpoint: Checkpoint) throws {
    self.checkpoint = checkpoint
    let architecture = try Architecture.describe(checkpoint).architecture
    self.architecture = architecture
    let maps = architecture.maps
    targets = try maps.enumerated().map { position, map in
      let tensor = try checkpoint.tensor(named: map.tensor)
      guard tensor.shape.extents.count == 2 else {
        throw ErrataError.mapIsNoMatrix(checkpoint.path, map.tensor, tensor.shape)
      }
      return Target(
        position: position, tensor: map.tensor, layer: map.layer, role: map.role,
        module: architecture.modulePrefix + map.path,
        ggufName: architecture.ggufName == nil ? nil : map.role.ggufName.map { "blk.\(map.layer).\($0).weight" },
        dtype: tensor.dtype, shape: tensor.shape, isTransposed: architecture.storesTransposed)
    }
    byTensor = Dictionary(uniqueKeysWithValues: zip(maps.map(\.tensor), targets.indices))
    byPath = Dictionary(zip(maps.map(\.path), targets.indices)) { first, _ in first }
    byGGUFName = Dictionary(
      uniqueKeysWithValues: targets.compactMap { target in
        target.ggufName.map { ($0, target.position) }
      })
  }

  /// The directory's name, or the model's own in the download cache: no path of this machine goes into a file.
  package var name: String {
    HubCache.model(ofSnapshot: checkpoint.path) ?? URL(fileURLWithPath: checkpoint.path).lastPathComponent
  }

  /// nil for what is no linear map of a block.
  package func target(tensor: ByteString) -> Target? { byTensor[tensor].map { targets[$0] } }

  func target(ggufName: String) -> Target? { byGGUFName[ggufName].map { targets[$0] } }

  /// The target of a module's name, with any of the prefixes that checkpoints and programs put before the blocks; nil
  /// if there is none. A prefix of something else, as of a tower for images, is none of them.
  func target(module: String) -> Target? { blockPath(ofModule: module).flatMap { byPath[$0] }.map { targets[$0] } }

  /// A module's name from the list of blocks on; nil if it is none of a block of this model.
  func blockPath(ofModule module: String) -> String? {
    guard let path = Architecture.blockPath(module), Self.prefixes.contains(String(module.dropLast(path.count))) else {
      return nil
    }
    return path
  }

  private static let prefixes: Set<String> = [
    "", "model.", "transformer.", "model.language_model.", "language_model.model.", "language_model.",
    "model.language_model.model.", "model.decoder.", "decoder.", "gpt_neox.",
  ]
}

extension Architecture.MapRole {
  /// llama.cpp's name of the tensor in its block; nil for queries and keys, whose rows it orders in another way.
  fileprivate var ggufName: String? {
    switch self {
    case .query, .key, .queryKeyValue: nil
    case .value: "attn_v"
    case .attentionOutput: "attn_output"
    case .gate: "ffn_gate"
    // One tensor for both is called by the name of the second.
    case .up, .gateUp: "ffn_up"
    case .down: "ffn_down"
    }
  }
}
