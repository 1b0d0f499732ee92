import Tensors

/// GPT-2: layer norm, learned positions, plain GELU, linear maps stored [in, out] (Conv1D), tied head.
func describeGPT2(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  for (field, expected) in [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false)] {
    let value = try configuration.boolean(field, default: expected)
    guard value == expected else {
      throw ErrataError.unsupportedSetting(configuration.path, field, "\(value)", supported: "\(expected)")
    }
  }
  // The checkpoints of the first release lack the prefix.
  let prefix = contains("transformer.wte.weight") ? "transformer." : ""
  let hiddenSize = try configuration.positiveInteger("n_embd")
  let headCount = try configuration.positiveInteger("n_head")
  guard hiddenSize % headCount == 0 else {
    throw ErrataError.wrongField(
      configuration.path, "n_head", expected: "a divisor of n_embd", found: String(headCount))
  }
  let epsilon = Float(try configuration.number("layer_norm_epsilon", default: 1e-5))
  let embedding = ByteString(prefix + "wte.weight")
  return Architecture(
    family: configuration.modelType,
    layerCount: try configuration.positiveInteger("n_layer"),
    hiddenSize: hiddenSize,
    headCount: headCount,
    keyValueHeadCount: headCount,
    headSize: hiddenSize / headCount,
    intermediateSize: try configuration.positiveInteger("n_inner", default: 4 * hiddenSize),
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("n_positions", default: 1024),
    normalization: .layer(epsilon: epsilon),
    positions: .learned(tensor: ByteString(prefix + "wpe.weight")),
    perceptron: .plain(try configuration.activation("activation_function")),
    storesTransposed: true,
    tokenEmbedding: embedding,
    finalNormalization: .init(weight: ByteString(prefix + "ln_f.weight"), bias: ByteString(prefix + "ln_f.bias")),
    head: contains("lm_head.weight") ? "lm_head.weight" : embedding,
    layer: { layer in
      func tensors(_ name: String) -> (ByteString, ByteString) {
        (ByteString("\(prefix)h.\(layer).\(name).weight"), ByteString("\(prefix)h.\(layer).\(name).bias"))
      }
      func linear(_ name: String) -> Architecture.LinearTensors {
        let (weight, bias) = tensors(name)
        return .init(weight: weight, bias: bias)
      }
      func normalization(_ name: String) -> Architecture.NormalizationTensors {
        let (weight, bias) = tensors(name)
        return .init(weight: weight, bias: bias)
      }
      return .init(
        attentionNormalization: normalization("ln_1"),
        queryKeyValue: [linear("attn.c_attn")],
        attentionOutput: linear("attn.c_proj"),
        perceptronNormalization: normalization("ln_2"),
        up: [linear("mlp.c_fc")],
        down: linear("mlp.c_proj"))
    })
}
