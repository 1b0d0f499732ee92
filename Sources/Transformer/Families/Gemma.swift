import Foundation
import Tensors

/// Gemma: Llama with scaled embeddings, a GELU gate and norms that store their weights less one.
func describeGemma(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  try gemmaKin(configuration).describe(configuration, contains: contains)
}

/// Gemma 2: Gemma with norms before and behind each branch, every other layer's attention in a window, and bounded scores
/// and logits.
func describeGemma2(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  var kin = try gemmaKin(configuration)
  kin.normalizesBranches = true
  let scale = try configuration.number("query_pre_attn_scalar", default: 256)
  guard scale > 0 else {
    throw ErrataError.wrongField(
      configuration.path, "query_pre_attn_scalar", expected: "a positive number", found: String(scale))
  }
  kin.attentionScale = Float(pow(scale, -0.5))
  kin.attentionScoreCap = try configuration.switchableNumber("attn_logit_softcapping", default: 50).map { Float($0) }
  kin.logitCap = try configuration.switchableNumber("final_logit_softcapping", default: 30).map { Float($0) }
  kin.attentionWindow = try configuration.attentionWindows(
    configuration.switchableInteger("sliding_window", default: 4096), isSliding: { $0 % 2 == 0 })
  return try kin.describe(configuration, contains: contains)
}

private func gemmaKin(_ configuration: Configuration) throws -> LlamaKin {
  try configuration.require("use_bidirectional_attention", false)
  var kin = LlamaKin(
    defaultHeadSize: 256, isTiedByDefault: true, defaultMaximumPositions: 8192, normalizationWeightOffset: 1,
    scalesEmbeddings: true)
  kin.hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
  kin.hasAttentionOutputBias = kin.hasQueryKeyValueBias
  // The first release said "gelu" and meant the approximation by tanh.
  let field = configuration.value("hidden_activation") == nil ? "hidden_act" : "hidden_activation"
  let activation = try configuration.activation(field, default: "gelu_pytorch_tanh")
  kin.activation = activation == .geluErf && field == "hidden_act" ? .geluTanh : activation
  return kin
}
