import Tensors

/// OLMo: Llama with layer norms that have no weights, and bounded queries, keys and values if the file says so.
func describeOLMo(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin(norms: .layer(hasBias: false))
  kin.norms.hasWeight = false
  try kin.takeAttentionBias(configuration)
  kin.queryKeyValueLimit = try configuration.switchableNumber("clip_qkv", default: nil).map { Float($0) }
  return try kin.describe(configuration.setting("layer_norm_eps", to: 1e-5), contains)
}

/// OLMo 2: Llama with norms behind its branches alone; queries and keys are normalized, all heads as one.
func describeOLMo2(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try LlamaKin(olmo2: configuration).describe(configuration, contains)
}

/// OLMo 3: OLMo 2, three of four layers of which slide, with rotary parameters of their own.
func describeOLMo3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(olmo2: configuration)
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  let slides = try configuration.slidingLayers { ($0 + 1) % 4 != 0 }
  kin.attentionWindow = { slides($0) ? window : nil }
  kin.slides = slides
  kin.rotary.defaultBase = 500_000
  kin.slidingRotary = kin.rotary
  return try kin.describe(configuration, contains)
}

extension LlamaKin {
  fileprivate init(olmo2 configuration: Configuration) throws {
    self.init(normNames: .behind, headNorms: .init(scope: .allHeads))
    norms.defaultEpsilon = 1e-5
    try takeAttentionBias(configuration)
  }

  fileprivate mutating func takeAttentionBias(_ configuration: Configuration) throws {
    hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
    hasAttentionOutputBias = hasQueryKeyValueBias
  }
}
