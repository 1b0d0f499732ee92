import Tensors

/// Qwen2 and Qwen2.5: Llama with biases of query, key and value.
func describeQwen2(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  var kin = LlamaKin(hasQueryKeyValueBias: true, defaultMaximumPositions: 32768)
  kin.attentionWindow = try qwenWindows(configuration)
  return try kin.describe(configuration, contains: contains)
}

/// Qwen3: Llama with normalized queries and keys.
func describeQwen3(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  var kin = LlamaKin(defaultHeadSize: 128, normalizesQueriesAndKeys: true, defaultMaximumPositions: 32768)
  kin.hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
  kin.hasAttentionOutputBias = kin.hasQueryKeyValueBias
  kin.attentionWindow = try qwenWindows(configuration)
  return try kin.describe(configuration, contains: contains)
}

/// The upper layers see a window only, if at all.
private func qwenWindows(_ configuration: Configuration) throws -> @Sendable (Int) -> Int? {
  guard try configuration.boolean("use_sliding_window", default: false) else { return { _ in nil } }
  // Zero is a meaningful value here: every layer slides.
  let fullLayers = try configuration.count("max_window_layers", default: 28)
  return try configuration.attentionWindows(
    configuration.switchableInteger("sliding_window", default: 4096), isSliding: { $0 >= fullLayers })
}
