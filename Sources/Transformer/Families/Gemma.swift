import Foundation
import Tensors

/// Gemma: Llama with scaled embeddings, a GELU gate and norms that store their weights less one.
func describeGemma(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.require("use_bidirectional_attention", false)
  return try LlamaKin(gemma: configuration).describe(configuration, contains)
}

/// Gemma 2: Gemma with norms before and behind each branch, every other layer's attention in a window, and bounded
/// scores and logits.
func describeGemma2(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.require("use_bidirectional_attention", false)
  var kin = try LlamaKin(gemma: configuration)
  kin.normNames = .around
  kin.attentionScale = Float(pow(try configuration.positiveNumber("query_pre_attn_scalar", default: 256), -0.5))
  kin.attentionScoreCap = try configuration.switchableNumber("attn_logit_softcapping", default: 50).map { Float($0) }
  kin.logitCap = try configuration.switchableNumber("final_logit_softcapping", default: 30).map { Float($0) }
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  let slides = try configuration.slidingLayers { $0 % 2 == 0 }
  kin.attentionWindow = { slides($0) ? window : nil }
  return try kin.describe(configuration, contains)
}

/// Gemma 3: Gemma 2 with normalized queries and keys, rotary parameters of its own for layers that slide, five of six
/// of them, and unbounded scores.
func describeGemma3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.require("use_bidirectional_attention", false)
  var kin = try LlamaKin(gemma: configuration)
  kin.normNames = .around
  kin.headNorms = .init()
  kin.attentionScale = Float(pow(try configuration.positiveNumber("query_pre_attn_scalar", default: 256), -0.5))
  kin.logitCap = try configuration.switchableNumber("final_logit_softcapping", default: nil).map { Float($0) }
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  let pattern = try configuration.positiveInteger("sliding_window_pattern", default: 6)
  try kin.slide(window, configuration.slidingLayers { ($0 + 1) % pattern != 0 })
  var architecture = try kin.describe(configuration, contains)
  if configuration.value("attn_logit_softcapping") != nil {
    let field = configuration.name("attn_logit_softcapping")
    architecture.notices.append("\(configuration.path): '\(field)' without effect, as in transformers")
  }
  return architecture
}

extension LlamaKin {
  /// What all Gemmas share.
  init(gemma configuration: Configuration) throws {
    self.init()
    hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
    hasAttentionOutputBias = hasQueryKeyValueBias
    norms.weightOffset = 1
    defaultHeadSize = 256
    isTiedByDefault = true
    embeddingScale = Float(try configuration.positiveInteger("hidden_size")).squareRoot()
    rotary.defaultMaximumPositions = 8192
    // The first release said "gelu" and meant the approximation by tanh.
    let field = configuration.value("hidden_activation") == nil ? "hidden_act" : "hidden_activation"
    let found = try configuration.activation(field, default: "gelu_pytorch_tanh")
    activation = found == .geluErf && field == "hidden_act" ? .geluTanh : found
  }

  /// With rotary parameters for each type of layer (Gemma 3 and 4).
  mutating func slide(_ window: Int?, _ slides: @escaping @Sendable (Int) -> Bool) throws {
    attentionWindow = { slides($0) ? window : nil }
    self.slides = slides
    rotary.defaultMaximumPositions = 131_072
    var sliding = rotary
    rotary.defaultBase = 1_000_000
    (sliding.baseField, sliding.defaultBase) = ("rope_local_base_freq", 10000)
    slidingRotary = sliding
  }
}
