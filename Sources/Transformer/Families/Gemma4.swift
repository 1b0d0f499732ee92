import Tensors

/// Gemma 4: Gemma 3 with plain norm weights, normalized values, unscaled scores, inputs for each layer, and other heads
/// in layers with full attention. The last layers may take keys and values from earlier ones.
func describeGemma4(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.require("enable_moe_block", false)
  if let found = configuration.value("use_bidirectional_attention"), found.stringValue != "vision" {
    throw ErrataError.unsupportedSetting(
      configuration.path, configuration.name("use_bidirectional_attention"),
      found.stringValue.map { "'\($0)'" } ?? found.kind, supported: "null, 'vision'")
  }
  let fields = try Gemma4Fields(configuration)
  var kin = try LlamaKin(gemma: configuration)
  kin.norms.weightOffset = 0
  kin.normNames = .around
  kin.headNorms = .init(includesValues: true)
  kin.attentionScale = 1
  kin.logitCap = try configuration.switchableNumber("final_logit_softcapping", default: nil).map { Float($0) }
  try kin.slide(configuration.positiveInteger("sliding_window", default: 512), fields.slides)
  kin.rotary.shareField = "partial_rotary_factor"
  if configuration.value("rope_parameters") == nil {
    kin.rotary.defaults = ["rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1_000_000.0]
  }
  kin.fullHeadSize = try fields.firstFullHeads().size
  var architecture = try kin.describe(configuration, contains)
  let prefix = prefix(LlamaKin.prefixes, of: "embed_tokens.weight", contains)
  let inputSize =
    configuration.isNull("hidden_size_per_layer_input")
    ? 0 : try configuration.count("hidden_size_per_layer_input", default: 256)
  if inputSize > 0, case .gated(let activation) = architecture.perceptron {
    architecture.perLayerInput = .init(
      size: inputSize,
      vocabularySize: try configuration.positiveInteger("vocab_size_per_layer_input", default: 262_144),
      embedding: ByteString(prefix + "embed_tokens_per_layer.weight"),
      projection: ByteString(prefix + "per_layer_model_projection.weight"),
      normalization: BlockNames(prefix: prefix).normalization("per_layer_projection_norm", hasBias: false),
      activation: activation)
  }
  for index in architecture.layers.indices {
    let names = BlockNames(prefix: "\(prefix)layers.\(index).")
    try fields.adapt(&architecture.layers[index], index, names, hasInput: inputSize > 0)
  }
  return architecture
}

/// How the layers of a Gemma 4 differ.
private struct Gemma4Fields {
  let slides: @Sendable (Int) -> Bool
  private let configuration: Configuration
  private let layerCount: Int
  private let headCount: Int
  private let keysAreValues: Bool
  private let usesDoubleWidth: Bool
  /// The first layer that takes keys and values from an earlier one.
  private let firstSharingLayer: Int
  /// By layer; nil for the fields of the first releases, which are of all layers with full attention.
  private let overrides: JSONObject?

  init(_ configuration: Configuration) throws {
    self.configuration = configuration
    let count = try configuration.layerCount("num_hidden_layers")
    layerCount = count
    headCount = try configuration.positiveInteger("num_attention_heads")
    let declared = try configuration.slidingLayers { ($0 + 1) % 6 != 0 }
    // The last layer always sees everything.
    slides = { $0 < count - 1 && declared($0) }
    keysAreValues = try configuration.boolean("attention_k_eq_v", default: false)
    usesDoubleWidth = try configuration.boolean("use_double_wide_mlp", default: false)
    let shared = try configuration.count("num_kv_shared_layers", default: 0)
    guard shared < count else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name("num_kv_shared_layers"), expected: "fewer than the \(count) layers",
        found: String(shared))
    }
    firstSharingLayer = count - shared
    if let found = configuration.value("per_layer_config") {
      guard let object = found.objectValue else {
        throw ErrataError.wrongField(
          configuration.path, configuration.name("per_layer_config"), expected: "an object", found: found.kind)
      }
      overrides = object
    } else {
      overrides = nil
    }
  }

  /// The heads of the first layer with full attention.
  func firstFullHeads() throws -> Architecture.Heads {
    try heads((0..<layerCount).first { !slides($0) }!)
  }

  private func heads(_ layer: Int) throws -> Architecture.Heads {
    var size = try configuration.positiveInteger("head_dim", default: 256)
    var keyValueCount = try configuration.positiveInteger("num_key_value_heads", default: headCount)
    if let overrides {
      // Written with or without leading zeros.
      for (key, value) in overrides.members where Int(key.description) == layer {
        for (field, number) in value.objectValue?.members ?? [] {
          let name = configuration.name("per_layer_config.\(key).\(field)")
          guard field == "head_dim" || field == "num_key_value_heads" else {
            throw ErrataError.unsupportedSetting(
              configuration.path, name, number.kind, supported: "head_dim, num_key_value_heads")
          }
          guard let count = number.integerValue, count > 0, count <= RotaryParameters.largestSize else {
            throw ErrataError.wrongField(
              configuration.path, name, expected: "a positive integer", found: number.kind)
          }
          if field == "head_dim" { size = count } else { keyValueCount = count }
        }
      }
    } else if !slides(layer) {
      size = try configuration.positiveInteger("global_head_dim", default: 512)
      if keysAreValues, let count = try configuration.switchableInteger("num_global_key_value_heads", default: nil) {
        keyValueCount = count
      }
    }
    guard size % 2 == 0, size <= RotaryParameters.largestSize else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name("head_dim"),
        expected: "an even number up to \(RotaryParameters.largestSize)", found: String(size))
    }
    return try configuration.heads(count: headCount, keyValueCount: keyValueCount, size: size)
  }

  /// The last layer of the same type that has keys and values of its own.
  private func source(of layer: Int) throws -> Int? {
    guard layer >= firstSharingLayer else { return nil }
    guard let source = (0..<firstSharingLayer).last(where: { slides($0) == slides(layer) }) else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name("num_kv_shared_layers"),
        expected: "so many that a layer of each type keeps keys and values of its own",
        found: String(layerCount - firstSharingLayer))
    }
    return source
  }

  func adapt(_ layer: inout Architecture.Layer, _ index: Int, _ names: BlockNames, hasInput: Bool) throws {
    layer.heads = try heads(index)
    layer.scale = ByteString(names.prefix + "layer_scalar")
    if hasInput {
      layer.perLayerInput = .init(
        gate: names.weight("per_layer_input_gate"), projection: names.weight("per_layer_projection"),
        normalization: names.normalization("post_per_layer_input_norm", hasBias: false))
    }
    if let source = try source(of: index) {
      layer.keyValueSource = source
      layer.queryKeyValue = [layer.queryKeyValue[0]]
      let own = layer.headNormalization!
      layer.headNormalization = .init(query: own.query, key: [], scope: own.scope)
      if usesDoubleWidth { layer.intermediateSize *= 2 }
    } else if keysAreValues, !slides(index) {
      layer.queryKeyValue[2] = layer.queryKeyValue[1]
    }
  }
}
