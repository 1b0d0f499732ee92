import Foundation
import Tensors

/// Llama 1 to 3, SmolLM2 and their kin: RMS norm, rotary positions, grouped-query attention, gated SiLU.
func describeLlama(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  let hiddenSize = try configuration.positiveInteger("hidden_size")
  let headCount = try configuration.positiveInteger("num_attention_heads")
  let headSize = try configuration.positiveInteger("head_dim", default: max(1, hiddenSize / headCount))
  // Halves of a head are rotated against each other. The bound keeps a damaged file from asking for gigabytes of angles.
  guard headSize % 2 == 0, headSize <= 1 << 16 else {
    throw ErrataError.wrongField(
      configuration.path, "head_dim", expected: "an even number up to 65536", found: String(headSize))
  }
  let attentionBias = try configuration.boolean("attention_bias", default: false)
  let perceptronBias = try configuration.boolean("mlp_bias", default: false)
  let keyValueHeadCount = try configuration.positiveInteger("num_key_value_heads", default: headCount)
  guard headCount % keyValueHeadCount == 0 else {
    throw ErrataError.wrongField(
      configuration.path, "num_key_value_heads", expected: "a divisor of num_attention_heads",
      found: String(keyValueHeadCount))
  }
  let isTied = try configuration.boolean("tie_word_embeddings", default: false)
  return Architecture(
    family: configuration.modelType,
    layerCount: try configuration.positiveInteger("num_hidden_layers"),
    hiddenSize: hiddenSize,
    headCount: headCount,
    keyValueHeadCount: keyValueHeadCount,
    headSize: headSize,
    intermediateSize: try configuration.positiveInteger("intermediate_size"),
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("max_position_embeddings", default: 2048),
    normalization: .rootMeanSquare(epsilon: Float(try configuration.number("rms_norm_eps", default: 1e-6))),
    positions: .rotary(
      RotaryEmbedding(
        inverseFrequencies: try rotaryFrequencies(configuration, dimensions: headSize), isInterleaved: false)),
    perceptron: .gated(try configuration.activation("hidden_act")),
    storesTransposed: false,
    tokenEmbedding: "model.embed_tokens.weight",
    finalNormalization: .init(weight: "model.norm.weight", bias: nil),
    head: isTied || !contains("lm_head.weight") ? "model.embed_tokens.weight" : "lm_head.weight",
    layer: { layer in
      func linear(_ name: String, _ hasBias: Bool) -> Architecture.LinearTensors {
        .init(
          weight: ByteString("model.layers.\(layer).\(name).weight"),
          bias: hasBias ? ByteString("model.layers.\(layer).\(name).bias") : nil)
      }
      return .init(
        attentionNormalization: .init(weight: ByteString("model.layers.\(layer).input_layernorm.weight"), bias: nil),
        queryKeyValue: ["q_proj", "k_proj", "v_proj"].map { linear("self_attn.\($0)", attentionBias) },
        attentionOutput: linear("self_attn.o_proj", attentionBias),
        perceptronNormalization: .init(
          weight: ByteString("model.layers.\(layer).post_attention_layernorm.weight"), bias: nil),
        up: ["gate_proj", "up_proj"].map { linear("mlp.\($0)", perceptronBias) },
        down: linear("mlp.down_proj", perceptronBias))
    })
}

/// The angular frequencies of rotary positions, in float32 as Hugging Face computes them.
///
/// Configurations written by transformers 5 say `rope_parameters`; older ones say `rope_theta` and `rope_scaling`.
func rotaryFrequencies(_ configuration: Configuration, dimensions: Int) throws -> [Float] {
  let parameters = configuration.value("rope_parameters")
  let scaling = parameters ?? configuration.value("rope_scaling")
  let nested = parameters?["rope_theta"]
  if let nested, nested.doubleValue == nil {
    throw ErrataError.wrongField(
      configuration.path, "rope_parameters.rope_theta", expected: "a number", found: nested.kind)
  }
  let theta = try nested?.doubleValue ?? configuration.number("rope_theta", default: 10000)
  let plain = (0..<dimensions / 2).map { 1 / Float(pow(theta, Double(2 * $0) / Double(dimensions))) }
  let type = (scaling?["rope_type"] ?? scaling?["type"])?.stringValue ?? "default"
  func parameter(_ name: ByteString) throws -> Double {
    guard let value = scaling?[name]?.doubleValue else {
      throw ErrataError.missingField(configuration.path, "rope_scaling.\(name)")
    }
    return value
  }
  switch type {
  case "default":
    return plain
  case "linear":
    let factor = try parameter("factor")
    return plain.map { $0 / Float(factor) }
  case "llama3":
    return scaledForLlama3(
      plain, factor: try parameter("factor"), lowFrequencyFactor: try parameter("low_freq_factor"),
      highFrequencyFactor: try parameter("high_freq_factor"),
      originalPositions: try parameter("original_max_position_embeddings"))
  default:
    throw ErrataError.unsupportedSetting(
      configuration.path, "rope_scaling.rope_type", "'\(type)'", supported: "default, linear, llama3")
  }
}

/// Llama 3.1's scaling: long wavelengths are stretched by `factor`, short ones kept, those between blended.
private func scaledForLlama3(
  _ frequencies: [Float], factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
  originalPositions: Double
) -> [Float] {
  frequencies.map { frequency in
    let wavelength = 2 * Double.pi / Double(frequency)
    if wavelength > originalPositions / lowFrequencyFactor { return frequency / Float(factor) }
    if wavelength < originalPositions / highFrequencyFactor { return frequency }
    let blend =
      (originalPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
    return Float((1 - blend) * Double(frequency) / factor + blend * Double(frequency))
  }
}
