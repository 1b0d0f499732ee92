import Tensors

/// Qwen2 and Qwen2.5: Llama with biases of query, key and value.
func describeQwen2(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try LlamaKin(qwen2: configuration).describe(configuration, contains)
}

/// The text part of Qwen2.5-VL: Qwen2.
func describeQwen25VLText(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(qwen2: configuration)
  kin.norms.defaultEpsilon = 1e-5
  kin.rotary.defaultBase = 1_000_000
  kin.rotary.ownFields = ["mrope_section"]
  return try kin.describe(configuration, contains)
}

/// Qwen3: Llama with normalized queries and keys.
func describeQwen3(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(qwen3: configuration)
  kin.attentionWindow = try qwenWindows(configuration)
  return try kin.describe(configuration, contains)
}

/// The text part of Qwen3-VL: Qwen3 without windows.
func describeQwen3VLText(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var kin = try LlamaKin(qwen3: configuration)
  kin.rotary.defaultBase = 500_000
  kin.rotary.defaultMaximumPositions = 128_000
  kin.rotary.ownFields = ["mrope_section", "mrope_interleaved"]
  return try kin.describe(configuration, contains)
}

extension LlamaKin {
  fileprivate init(qwen2 configuration: Configuration) throws {
    self.init()
    hasQueryKeyValueBias = true
    rotary.defaultMaximumPositions = 32768
    attentionWindow = try qwenWindows(configuration)
  }

  fileprivate init(qwen3 configuration: Configuration) throws {
    self.init()
    hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
    hasAttentionOutputBias = hasQueryKeyValueBias
    defaultHeadSize = 128
    headNorms = .init()
    rotary.defaultMaximumPositions = 32768
  }
}

/// The upper layers see a window only, if at all.
private func qwenWindows(_ configuration: Configuration) throws -> @Sendable (Int) -> Int? {
  guard try configuration.boolean("use_sliding_window", default: false) else { return { _ in nil } }
  // Zero is a meaningful value here: every layer slides.
  let fullLayers = try configuration.count("max_window_layers", default: 28)
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  let slides = try configuration.slidingLayers { $0 >= fullLayers }
  return { slides($0) ? window : nil }
}
