import Tensors

/// Mistral: Llama, each row of which may see a window of the rows before it.
func describeMistral(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  try configuration.requireAbsent("layer_types")
  var kin = LlamaKin(defaultMaximumPositions: 131_072)
  let window = try configuration.switchableInteger("sliding_window", default: 4096)
  kin.attentionWindow = { _ in window }
  return try kin.describe(configuration, contains: contains)
}
