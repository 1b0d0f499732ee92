import Tensors

/// GPT-NeoX and Pythia: layer norms, attention and perceptron in parallel (or not), fused query-key-value maps ordered
/// by head, of which the first part is rotated.
func describeGPTNeoX(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  let hiddenSize = try configuration.positiveInteger("hidden_size")
  let headCount = try configuration.positiveInteger("num_attention_heads")
  let headSize = try configuration.evenHeadSize(
    hiddenSize, headCount, field: "num_attention_heads", of: "hidden_size")
  let hasBias = try configuration.boolean("attention_bias", default: true)
  let rotary = try RotaryParameters(
    configuration, headSize: headSize,
    options: .init(baseField: "rotary_emb_base", shareField: "rotary_pct", defaultShare: 0.25))
  let intermediateSize = try configuration.positiveInteger("intermediate_size")
  let embedding: ByteString = "gpt_neox.embed_in.weight"
  return Architecture(
    family: configuration.modelType,
    layers: (0..<(try configuration.layerCount("num_hidden_layers"))).map { layer in
      let names = BlockNames(prefix: "gpt_neox.layers.\(layer).")
      return .init(
        heads: .init(count: headCount, keyValueCount: headCount, size: headSize),
        intermediateSize: intermediateSize,
        attentionNormalization: names.normalization("input_layernorm"),
        queryKeyValue: [names.linear("attention.query_key_value", hasBias: hasBias)],
        rotary: 0,
        attentionOutput: names.linear("attention.dense", hasBias: hasBias),
        perceptronNormalization: names.normalization("post_attention_layernorm"),
        up: [names.linear("mlp.dense_h_to_4h")],
        down: names.linear("mlp.dense_4h_to_h"))
    },
    hiddenSize: hiddenSize,
    intermediateSize: intermediateSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: rotary.maximumPositions,
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_eps", default: 1e-5))),
    residual: try configuration.boolean("use_parallel_residual", default: true) ? .parallel : .sequential,
    perceptron: .plain(try configuration.activation("hidden_act")),
    fusedLayout: .groupedByHead,
    rotaries: [rotary.embedding],
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: "gpt_neox.").normalization("final_layer_norm"),
    head: head(
      ["lm_head.weight", "embed_out.weight"],
      isTied: try configuration.boolean("tie_word_embeddings", default: false), embedding: embedding, contains),
    notices: rotary.notices)
}
