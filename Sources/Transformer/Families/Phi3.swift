import Tensors

/// Phi-3 and Phi-4: Llama with fused query-key-value and gate-up maps.
func describePhi3(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  var kin = LlamaKin(
    isFused: true, defaultEpsilon: 1e-5, defaultMaximumPositions: 4096, allowsPartialRotation: true)
  let window = try configuration.switchableInteger("sliding_window", default: nil)
  kin.attentionWindow = { _ in window }
  return try kin.describe(configuration, contains: contains)
}
