import Tensors

/// Falcon, in its three forms: heads of their own, one key and value for all heads (7B), or for groups of heads (40B,
/// 11B, Falcon 2); rotary positions or ALiBi (RW); attention and perceptron in parallel or not, with one norm or two.
func describeFalcon(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  let hiddenField = configuration.field("hidden_size", "n_embed")
  let headField = configuration.field("num_attention_heads", "n_head")
  let hiddenSize = try configuration.positiveInteger(hiddenField)
  let headCount = try configuration.positiveInteger(headField)
  let headSize = try configuration.evenHeadSize(hiddenSize, headCount, field: headField, of: hiddenField)
  let isNew = try configuration.boolean("new_decoder_architecture", default: false)
  let sharesKeys = try configuration.boolean("multi_query", default: true)
  let isParallel = try configuration.boolean("parallel_attn", default: true)
  let normCount = try configuration.positiveInteger("num_ln_in_parallel_attn", default: isNew ? 2 : 1)
  guard isNew ? isParallel && normCount <= 2 : !isParallel || normCount == 1 else {
    throw ErrataError.unsupportedSetting(
      configuration.path, isParallel ? "num_ln_in_parallel_attn" : "parallel_attn",
      isParallel ? String(normCount) : "false",
      supported: isNew ? "1 or 2 norms in parallel, with the new decoder architecture" : "1, without it")
  }
  let keyValueCount =
    isNew ? try configuration.positiveInteger("num_kv_heads", default: headCount) : sharesKeys ? 1 : headCount
  let heads = try configuration.heads(
    count: headCount, keyValueCount: keyValueCount, size: headSize, field: "num_kv_heads")
  let hasBias = try configuration.boolean("bias", default: false)
  let hasLinearBias = try configuration.boolean("alibi", default: false)
  let rotary = try hasLinearBias ? nil : RotaryParameters(configuration, headSize: headSize)
  let intermediateSize = try configuration.positiveInteger("ffn_hidden_size", default: 4 * hiddenSize)
  let prefix = prefix(["transformer.", ""], of: "word_embeddings.weight", contains)
  let embedding = ByteString(prefix + "word_embeddings.weight")
  return Architecture(
    family: configuration.modelType,
    layers: (0..<(try configuration.layerCount(configuration.field("num_hidden_layers", "n_layer")))).map { layer in
      let names = BlockNames(prefix: "\(prefix)h.\(layer).")
      let (attentionNorm, perceptronNorm) =
        isNew && normCount == 2
        ? ("ln_attn", "ln_mlp")
        : ("input_layernorm", isParallel ? "input_layernorm" : "post_attention_layernorm")
      return .init(
        heads: heads,
        intermediateSize: intermediateSize,
        attentionNormalization: names.normalization(attentionNorm),
        queryKeyValue: [names.linear("self_attention.query_key_value", hasBias: hasBias)],
        rotary: hasLinearBias ? nil : 0,
        attentionOutput: names.linear("self_attention.dense", hasBias: hasBias),
        perceptronNormalization: names.normalization(perceptronNorm),
        up: [names.linear("mlp.dense_h_to_4h", hasBias: hasBias)],
        down: names.linear("mlp.dense_4h_to_h", hasBias: hasBias))
    },
    hiddenSize: hiddenSize,
    intermediateSize: intermediateSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("max_position_embeddings", default: 2048),
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    residual: isParallel ? .parallel : .sequential,
    perceptron: .plain(try configuration.activation("activation", default: "gelu")),
    fusedLayout: .groupedByHead,
    rotaries: rotary.map { [$0.embedding] } ?? [],
    linearBias: hasLinearBias
      ? .init(slopes: PositionBias.slopes(headCount: headCount), isScaledBFloat16: true) : nil,
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: prefix).normalization("ln_f"),
    head: head(
      isTied: try configuration.boolean("tie_word_embeddings", default: true), embedding: embedding, contains),
    notices: rotary?.notices ?? [])
}
