import Safetensors
import Tensors

extension Architecture {
  /// Reads `config.json`; weights are not looked at, but for the names of tensors.
  ///
  /// - Throws: an `ErrataError` if the checkpoint is a bare file or quantized, or if its architecture is not supported.
  package static func describe(_ checkpoint: Checkpoint) throws -> (architecture: Architecture, Configuration) {
    guard let configurationPath = checkpoint.configurationPath else {
      throw ErrataError.bareFileHasNoModel(checkpoint.path)
    }
    let configuration = try Configuration(contentsOf: configurationPath)
    if configuration.value("quantization_config") != nil {
      throw ErrataError.quantized(configurationPath)
    }
    return (try Family.architecture(configuration, checkpoint.contains), configuration)
  }

  /// What a linear map of a block is for.
  package enum MapRole: Sendable, Hashable {
    case query, key, value
    /// The three in one tensor.
    case queryKeyValue
    case attentionOutput
    case gate, up
    /// The two in one tensor.
    case gateUp
    case down
  }

  /// A linear map of a block, as a checkpoint's tensor holds it.
  package struct Map: Sendable {
    package let tensor: ByteString
    package let layer: Int
    package let role: MapRole
    /// From the list of blocks on, which is how every program names it: `layers.3.mlp.down_proj`.
    package let path: String
  }

  /// The linear maps of all blocks, in their order.
  package var maps: [Map] {
    layers.enumerated().flatMap { index, layer -> [Map] in
      let attention: [MapRole] =
        layer.queryKeyValue.count == 1
        ? [layer.keyValueSource == nil ? .queryKeyValue : .query] : [.query, .key, .value]
      let isGated = if case .gated = perceptron { true } else { false }
      let up: [MapRole] = isGated ? (layer.up.count == 1 ? [.gateUp] : [.gate, .up]) : [.up]
      let linears = layer.queryKeyValue + [layer.attentionOutput] + layer.up + [layer.down]
      let roles = attention + [.attentionOutput] + up + [.down]
      // Keys may be values too (Gemma 4): the tensor counts once.
      var known: Set<ByteString> = []
      return zip(linears, roles).compactMap { linear, role in
        guard known.insert(linear.weight).inserted, let path = Self.blockPath(linear.weight.description) else {
          return nil
        }
        return Map(tensor: linear.weight, layer: index, role: role, path: path)
      }
    }
  }

  /// Where the outputs of a map that other checkpoints hold apart stand in the tensor that this one has for several.
  ///
  /// - Parameters:
  ///   - part: `.query`, `.key`, `.value`, `.gate` or `.up`.
  ///   - layer: whose.
  /// - Returns: the ranges of outputs that make up the part, in its order; nil if the layer has a tensor for it alone.
  package func outputs(of part: MapRole, inFusedMapOf layer: Int) -> [Range<Int>]? {
    let layer = layers[layer]
    switch part {
    case .query, .key, .value:
      guard layer.queryKeyValue.count == 1, layer.keyValueSource == nil else { return nil }
      let rows = fusedLayout.rows(layer.heads)
      return part == .query ? rows.query : part == .key ? rows.key : rows.value
    case .gate, .up:
      guard case .gated = perceptron, layer.up.count == 1 else { return nil }
      let size = layer.intermediateSize
      return [part == .gate ? 0..<size : size..<2 * size]
    case .queryKeyValue, .attentionOutput, .gateUp, .down: return nil
    }
  }

  /// The part of a tensor's or a module's name that begins with the list of blocks, without `.weight`: of
  /// `model.layers.3.mlp.down_proj.weight` it is `layers.3.mlp.down_proj`.
  ///
  /// - Returns: nil if no number follows a name.
  package static func blockPath(_ name: String) -> String? {
    var parts = name.split(separator: ".", omittingEmptySubsequences: false)
    if parts.last == "weight" { parts.removeLast() }
    guard let number = parts.firstIndex(where: { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }),
      number > 0
    else { return nil }
    return parts[(number - 1)...].joined(separator: ".")
  }
}

extension Architecture.FusedLayout {
  /// The outputs of a fused map that are queries, keys and values, each in the order of heads.
  func rows(_ heads: Architecture.Heads) -> (query: [Range<Int>], key: [Range<Int>], value: [Range<Int>]) {
    let size = heads.size
    switch self {
    case .concatenated:
      let (queries, keys) = (heads.querySize, heads.keyValueSize)
      return ([0..<queries], [queries..<queries + keys], [queries + keys..<queries + 2 * keys])
    case .groupedByHead:
      let group = heads.count / heads.keyValueCount
      func rows(_ first: Int, _ count: Int) -> [Range<Int>] {
        (0..<heads.keyValueCount).map { ((group + 2) * $0 + first) * size..<((group + 2) * $0 + first + count) * size }
      }
      return (rows(0, group), rows(group, 1), rows(group + 1, 1))
    case .sharded(let count):
      let share = heads.querySize / count
      func rows(_ part: Int) -> [Range<Int>] {
        (0..<count).map { (3 * $0 + part) * share..<(3 * $0 + part + 1) * share }
      }
      return (rows(0), rows(2), rows(1))
    }
  }
}
