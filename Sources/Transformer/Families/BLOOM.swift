import Tensors

/// BLOOM: ALiBi instead of positions, a norm over the embeddings, fused query-key-value maps ordered by head.
func describeBLOOM(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  let hiddenField = configuration.field("hidden_size", "n_embed")
  let headField = configuration.field("n_head", "num_attention_heads")
  let hiddenSize = try configuration.positiveInteger(hiddenField)
  let headCount = try configuration.positiveInteger(headField)
  let headSize = try configuration.evenHeadSize(hiddenSize, headCount, field: headField, of: hiddenField)
  // Then the branches are added to what they read, not to what is normalized for them.
  let addsToNormalized = try configuration.boolean("apply_residual_connection_post_layernorm", default: false)
  let prefix = prefix(["transformer.", ""], of: "word_embeddings.weight", contains)
  let embedding = ByteString(prefix + "word_embeddings.weight")
  return Architecture(
    family: configuration.modelType,
    layers: (0..<(try configuration.layerCount(configuration.field("n_layer", "num_hidden_layers")))).map { layer in
      let names = BlockNames(prefix: "\(prefix)h.\(layer).")
      let first = names.normalization("input_layernorm")
      let second = names.normalization("post_attention_layernorm")
      return .init(
        heads: .init(count: headCount, keyValueCount: headCount, size: headSize),
        intermediateSize: 4 * hiddenSize,
        enteringNormalization: addsToNormalized ? first : nil,
        attentionNormalization: addsToNormalized ? nil : first,
        queryKeyValue: [names.linear("self_attention.query_key_value")],
        attentionOutput: names.linear("self_attention.dense"),
        middleNormalization: addsToNormalized ? second : nil,
        perceptronNormalization: addsToNormalized ? nil : second,
        up: [names.linear("mlp.dense_h_to_4h")],
        down: names.linear("mlp.dense_4h_to_h"))
    },
    hiddenSize: hiddenSize,
    intermediateSize: 4 * hiddenSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    // Nothing in the model ends its positions.
    maximumPositions: .max,
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    perceptron: .plain(.geluTanh),
    fusedLayout: .groupedByHead,
    linearBias: .init(slopes: PositionBias.slopes(headCount: headCount)),
    tokenEmbedding: embedding,
    embeddingNormalization: BlockNames(prefix: prefix).normalization("word_embeddings_layernorm"),
    finalNormalization: BlockNames(prefix: prefix).normalization("ln_f"),
    head: head(
      isTied: try configuration.boolean("tie_word_embeddings", default: true), embedding: embedding, contains))
}
