import Tensors

/// GLM-4 of 2024: Llama with a fused gate-up map, biases of query, key and value, and half of each head rotated, in
/// neighbouring pairs.
func describeGLM(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try LlamaKin(glm: configuration).describe(configuration, contains)
}

/// GLM-4-0414: GLM-4 with norms before and behind each branch.
func describeGLM4(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(glm: configuration)
  kin.normNames = .init(attentionOutput: "post_self_attn_layernorm", down: "post_mlp_layernorm")
  return try kin.describe(configuration, contains)
}

extension LlamaKin {
  fileprivate init(glm configuration: Configuration) throws {
    self.init(upNames: ["gate_up_proj"])
    hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: true)
    defaultHeadSize = configuration.isNull("head_dim") ? nil : 128
    norms.defaultEpsilon = 1.5625e-7
    rotary.isInterleaved = true
    rotary.shareField = "partial_rotary_factor"
    rotary.defaultShare = 0.5
    rotary.defaultMaximumPositions = 131_072
  }
}
