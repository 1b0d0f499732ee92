import Tensors

/// Llama 1 to 3, SmolLM2 and their kin.
func describeLlama(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  var kin = LlamaKin()
  kin.hasQueryKeyValueBias = try configuration.boolean("attention_bias", default: false)
  kin.hasAttentionOutputBias = kin.hasQueryKeyValueBias
  kin.hasPerceptronBias = try configuration.boolean("mlp_bias", default: false)
  return try kin.describe(configuration, contains: contains)
}
