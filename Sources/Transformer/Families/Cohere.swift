import Tensors

/// Command R: one layer norm without bias for attention and perceptron, which stand in parallel; neighbouring pairs are
/// rotated, and logits are scaled.
func describeCohere(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(cohere: configuration)
  kin.rotary.defaultBase = 500_000
  if try configuration.boolean("use_qk_norm", default: false) { kin.headNorms = .init(scope: .eachHeadApart) }
  return try kin.describe(configuration, contains)
}

/// Command R7B and Command A: Command R, three of four layers of which slide; only those rotate.
func describeCohere2(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(cohere: configuration)
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  let pattern = try configuration.positiveInteger("sliding_window_pattern", default: 4)
  let slides = try configuration.slidingLayers { ($0 + 1) % pattern != 0 }
  kin.attentionWindow = { slides($0) ? window : nil }
  kin.rotates = { window != nil && slides($0) }
  return try kin.describe(configuration, contains)
}

extension LlamaKin {
  fileprivate init(cohere configuration: Configuration) throws {
    self.init(norms: .layer(hasBias: false), normNames: .shared, residual: .parallel)
    hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
    hasAttentionOutputBias = hasQueryKeyValueBias
    isTiedByDefault = true
    logitScale = Float(try configuration.number("logit_scale", default: 0.0625))
    rotary.isInterleaved = true
    rotary.defaultMaximumPositions = 8192
  }
}
