import Tensors

/// Llama 1 to 3, SmolLM2 and their kin.
func describeLlama(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try LlamaKin(biasesOf: configuration).describe(configuration, contains)
}

/// SmolLM3: Llama with layers that do not rotate.
func describeSmolLM3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration)
  kin.isTiedByDefault = true
  kin.rotary.defaultBase = 2_000_000
  kin.rotary.defaultMaximumPositions = 32768
  let rotates = try configuration.rotatingLayers()
  kin.rotates = rotates
  let window = try configuration.switchableInteger("sliding_window", default: nil)
  let usesWindow = try configuration.boolean("use_sliding_window", default: false) && window != nil
  let slides = try configuration.slidingLayers { usesWindow && !rotates($0) }
  kin.attentionWindow = { slides($0) ? window : nil }
  return try kin.describe(configuration, contains)
}

/// Granite: Llama with multipliers of embeddings, scores, branches and logits.
func describeGranite(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration)
  kin.embeddingScale = Float(try configuration.number("embedding_multiplier", default: 1))
  kin.attentionScale = Float(try configuration.number("attention_multiplier", default: 1))
  kin.branchScale = Float(try configuration.positiveNumber("residual_multiplier", default: 1))
  kin.logitScale = Float(1 / (try configuration.positiveNumber("logits_scaling", default: 1)))
  return try kin.describe(configuration, contains)
}

/// ERNIE 4.5: Llama that rotates neighbouring pairs, with one switch for all biases.
func describeErnie(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin()
  let hasBias = try configuration.boolean("use_bias", default: false)
  (kin.hasQueryKeyValueBias, kin.hasAttentionOutputBias, kin.hasPerceptronBias) = (hasBias, hasBias, hasBias)
  kin.norms.defaultEpsilon = 1e-5
  kin.defaultHeadSize = configuration.isNull("head_dim") ? nil : 128
  kin.rotary.isInterleaved = true
  kin.rotary.defaultBase = 500_000
  kin.rotary.defaultMaximumPositions = 131_072
  kin.isTiedByDefault = true
  return try kin.describe(configuration, contains)
}

/// Helium: Llama that rotates neighbouring pairs.
func describeHelium(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration)
  kin.hasAttentionOutputBias = false
  // The switch is there, but no map that would have it.
  kin.hasPerceptronBias = try configuration.boolean("mlp_bias", default: false)
  kin.norms.defaultEpsilon = 1e-8
  kin.defaultHeadSize = 128
  kin.rotary.isInterleaved = true
  kin.rotary.defaultBase = 100_000
  kin.rotary.defaultMaximumPositions = 4096
  return try kin.describe(configuration, contains)
}

/// Seed-OSS: Llama with separate switches for the biases of attention.
func describeSeedOSS(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin()
  kin.hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: true)
  kin.hasAttentionOutputBias = try configuration.boolean("attention_out_bias", default: false)
  kin.hasPerceptronBias = try configuration.boolean("mlp_bias", default: false)
  kin.defaultHeadSize = configuration.isNull("head_dim") ? nil : 128
  kin.rotary.defaultMaximumPositions = 524_288
  return try kin.describe(configuration, contains)
}

/// Hunyuan: Llama that normalizes queries and keys after their rotation.
func describeHunyuan(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration)
  kin.hasPerceptronBias = false
  kin.headNorms = .init(query: "query_layernorm", key: "key_layernorm", followsRotation: true)
  kin.norms.defaultEpsilon = 1e-5
  kin.rotary.ownFields = ["alpha"]
  return try kin.describe(configuration, contains)
}

/// EXAONE 4: Llama with norms behind its branches and normalized queries and keys; where some layers slide, only those
/// rotate.
func describeExaone4(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin(normNames: .behind, headNorms: .init())
  kin.norms.defaultEpsilon = 1e-5
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  if let window {
    let isGiven = configuration.value("layer_types") != nil
    let pattern = isGiven ? 1 : try configuration.positiveInteger("sliding_window_pattern", default: 4)
    let slides = try configuration.slidingLayers { ($0 + 1) % pattern != 0 }
    kin.attentionWindow = { slides($0) ? window : nil }
    kin.rotates = slides
  }
  return try kin.describe(configuration, contains)
}

extension LlamaKin {
  /// With the biases that the fields `attention_bias` and `mlp_bias` ask for.
  init(biasesOf configuration: Configuration) throws {
    self.init()
    hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
    hasAttentionOutputBias = hasQueryKeyValueBias
    hasPerceptronBias = try configuration.boolean("mlp_bias", default: false)
  }
}

extension Configuration {
  /// Which layers rotate, by `no_rope_layers`, whose 1 stands for one that does.
  fileprivate func rotatingLayers() throws -> @Sendable (Int) -> Bool {
    guard let found = value("no_rope_layers") else {
      let interval = try positiveInteger("no_rope_layer_interval", default: 4)
      return { ($0 + 1) % interval != 0 }
    }
    let layerCount = try positiveInteger("num_hidden_layers")
    guard let flags = found.arrayValue?.compactMap(\.integerValue), flags.count == layerCount else {
      throw ErrataError.wrongField(
        path, name("no_rope_layers"), expected: "\(layerCount) numbers, one for each layer", found: found.kind)
    }
    return { flags[$0] != 0 }
  }
}
