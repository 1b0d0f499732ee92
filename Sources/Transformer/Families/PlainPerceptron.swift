import Tensors

/// Arcee: Llama with a plain perceptron and a squared ReLU.
func describeArcee(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration).withPlainPerceptron()
  kin.norms.defaultEpsilon = 1e-5
  kin.rotary.defaultMaximumPositions = 4096
  return try kin.describe(configuration, contains)
}

/// Apertus: Llama with a plain perceptron, an activation that it learns, and normalized queries and keys.
func describeApertus(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration).withPlainPerceptron()
  kin.hasPerceptronBias = false
  kin.isXIELU = configuration.value("hidden_act")?.stringValue == "xielu"
  kin.normNames = .init(attention: "attention_layernorm", perceptron: "feedforward_layernorm")
  kin.headNorms = .init()
  kin.norms.defaultEpsilon = 1e-5
  kin.rotary.defaultBase = 12_000_000
  kin.rotary.defaultMaximumPositions = 65536
  kin.rotary.defaults = [
    "rope_type": "llama3", "rope_theta": 12_000_000.0, "factor": 8.0, "original_max_position_embeddings": 8192,
    "low_freq_factor": 1.0, "high_freq_factor": 4.0,
  ]
  return try kin.describe(configuration, contains)
}

/// Nemotron: a plain perceptron with a squared ReLU, layer norms that store their weights less one, and half of each
/// head rotated.
func describeNemotron(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(biasesOf: configuration).withPlainPerceptron()
  kin.norms = .layer("norm_eps")
  kin.norms.weightOffset = 1
  kin.rotary.shareField = "partial_rotary_factor"
  kin.rotary.defaultShare = 0.5
  kin.rotary.defaultMaximumPositions = 4096
  return try kin.describe(configuration, contains)
}

/// StarCoder 2: a plain perceptron, layer norms, one switch for all biases, and a window if the file says so.
func describeStarcoder2(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin(norms: .layer("norm_epsilon")).withPlainPerceptron(up: "c_fc", down: "c_proj")
  let hasBias = try configuration.boolean("use_bias", default: true)
  (kin.hasQueryKeyValueBias, kin.hasAttentionOutputBias, kin.hasPerceptronBias) = (hasBias, hasBias, hasBias)
  kin.isTiedByDefault = true
  kin.rotary.defaultMaximumPositions = 4096
  let window = try configuration.switchableInteger("sliding_window", default: nil)
  kin.attentionWindow = { _ in window }
  return try kin.describe(configuration, contains)
}

extension LlamaKin {
  func withPlainPerceptron(up: String = "up_proj", down: String = "down_proj") -> LlamaKin {
    var kin = self
    (kin.upNames, kin.downName, kin.isGated) = ([up], down, false)
    return kin
  }
}
