import Tensors

/// StableLM: layer norms, a gated perceptron, a quarter of each head rotated; attention and perceptron in parallel if
/// the file says so.
func describeStableLM(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = LlamaKin(norms: .layer())
  kin.hasQueryKeyValueBias = try configuration.boolean("use_qkv_bias", default: false)
  if try configuration.boolean("use_parallel_residual", default: false) {
    (kin.residual, kin.normNames) = (.parallel, .shared)
  }
  if try configuration.boolean("qk_layernorm", default: false) {
    kin.headNorms = .init(query: "q_layernorm", key: "k_layernorm", scope: .eachHeadApart, isNumbered: true)
  }
  kin.rotary.shareField = "partial_rotary_factor"
  kin.rotary.defaultShare = 0.25
  kin.rotary.defaultMaximumPositions = 4096
  return try kin.describe(configuration, contains)
}
