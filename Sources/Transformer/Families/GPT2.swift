import Tensors

/// GPT-2: layer norm, learned positions, plain GELU, linear maps stored [in, out] (Conv1D), tied head.
func describeGPT2(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  try configuration.require("scale_attn_weights", true)
  try configuration.require("scale_attn_by_inverse_layer_idx", false)
  try configuration.require("add_cross_attention", false)
  // The checkpoints of the first release lack the prefix.
  let prefix = contains("transformer.wte.weight") ? "transformer." : ""
  let hiddenSize = try configuration.positiveInteger("n_embd")
  let headCount = try configuration.positiveInteger("n_head")
  let headSize = try configuration.evenHeadSize(hiddenSize, headCount, field: "n_head", of: "n_embd")
  let embedding = ByteString(prefix + "wte.weight")
  return Architecture(
    family: configuration.modelType,
    layerCount: try configuration.positiveInteger("n_layer"),
    hiddenSize: hiddenSize,
    headCount: headCount,
    keyValueHeadCount: headCount,
    headSize: headSize,
    intermediateSize: try configuration.positiveInteger("n_inner", default: 4 * hiddenSize),
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("n_positions", default: 1024),
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    positions: .learned(tensor: ByteString(prefix + "wpe.weight")),
    perceptron: .plain(try configuration.activation("activation_function")),
    storesTransposed: true,
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: prefix).normalization("ln_f"),
    head: try configuration.boolean("tie_word_embeddings", default: true) ? embedding : "lm_head.weight",
    layer: { layer in
      let names = BlockNames(prefix: "\(prefix)h.\(layer).")
      return .init(
        attentionNormalization: names.normalization("ln_1"),
        queryKeyValue: [names.linear("attn.c_attn")],
        attentionOutput: names.linear("attn.c_proj"),
        perceptronNormalization: names.normalization("ln_2"),
        up: [names.linear("mlp.c_fc")],
        down: names.linear("mlp.c_proj"))
    })
}
