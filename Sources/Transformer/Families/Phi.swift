import Tensors

/// Phi-1 to Phi-2: one layer norm for attention and a plain perceptron, which stand in parallel; half of each head is
/// rotated; every map has a bias, the head too.
func describePhi(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin(norms: .layer(), normNames: .shared, finalNormName: "final_layernorm", residual: .parallel)
    .withPlainPerceptron(up: "fc1", down: "fc2")
  (kin.hasQueryKeyValueBias, kin.hasAttentionOutputBias, kin.hasPerceptronBias) = (true, true, true)
  kin.attentionOutputName = "dense"
  kin.hasHeadBias = true
  if try configuration.boolean("qk_layernorm", default: false) {
    kin.headNorms = .init(query: "q_layernorm", key: "k_layernorm", hasBias: true)
  }
  kin.rotary.shareField = "partial_rotary_factor"
  kin.rotary.defaultShare = 0.5
  return try kin.describe(configuration, contains)
}

/// Phi-3 and Phi-4: Llama with fused query-key-value and gate-up maps.
func describePhi3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin(queryKeyValueNames: ["qkv_proj"], upNames: ["gate_up_proj"])
  kin.norms.defaultEpsilon = 1e-5
  kin.rotary.shareField = "partial_rotary_factor"
  kin.rotary.defaultMaximumPositions = 4096
  let window = try configuration.switchableInteger("sliding_window", default: nil)
  kin.attentionWindow = { _ in window }
  return try kin.describe(configuration, contains)
}
