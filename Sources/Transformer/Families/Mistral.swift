import Tensors

/// Mistral: Llama, each row of which may see a window of the rows before it.
func describeMistral(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.requireAbsent("layer_types")
  var kin = LlamaKin()
  kin.rotary.defaultMaximumPositions = 131_072
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  kin.attentionWindow = { _ in window }
  return try kin.describe(configuration, contains)
}

/// Ministral: Mistral, only some of whose layers may slide.
func describeMinistral(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin()
  kin.rotary.defaultMaximumPositions = 131_072
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  let slides = try configuration.slidingLayers { _ in true }
  kin.attentionWindow = { slides($0) ? window : nil }
  return try kin.describe(configuration, contains)
}

/// Ministral 3: Mistral, whose queries grow with the position.
func describeMinistral3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.requireAbsent("layer_types")
  var kin = LlamaKin()
  kin.norms.defaultEpsilon = 1e-5
  kin.defaultHeadSize = configuration.isNull("head_dim") ? nil : 128
  kin.rotary.defaultMaximumPositions = 262_144
  kin.rotary.ownFields = ["llama_4_scaling_beta", "max_position_embeddings"]
  kin.rotary.defaults = [
    "type": "yarn", "rope_theta": 1_000_000.0, "factor": 16.0, "original_max_position_embeddings": 16384,
    "beta_fast": 32.0, "beta_slow": 1.0, "mscale_all_dim": 1.0, "mscale": 1.0, "llama_4_scaling_beta": 0.1,
  ]
  let window = try configuration.switchableInteger("sliding_window", default: nil)
  kin.attentionWindow = { _ in window }
  return try kin.describe(configuration, contains)
}
