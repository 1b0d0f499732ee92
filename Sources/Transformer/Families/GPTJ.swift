import Tensors

/// GPT-J: one layer norm for attention and perceptron, which stand in parallel; the first part of each head is rotated,
/// in neighbouring pairs; the head has a bias.
func describeGPTJ(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try describeGPTJKin(configuration, contains) { names in
    ["q_proj", "k_proj", "v_proj"].map { names.linear("attn.\($0)", hasBias: false) }
  }
}

/// CodeGen: GPT-J with a fused query-key-value map, in four shards.
func describeCodeGen(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  var architecture = try describeGPTJKin(configuration, contains) { names in
    [names.linear("attn.qkv_proj", hasBias: false)]
  }
  guard architecture.hiddenSize % 4 == 0 else {
    throw ErrataError.wrongField(
      configuration.path, "n_embd", expected: "a multiple of 4", found: String(architecture.hiddenSize))
  }
  architecture.fusedLayout = .sharded(4)
  return architecture
}

private func describeGPTJKin(
  _ configuration: Configuration, _ contains: Family.Contains,
  queryKeyValue: (BlockNames) -> [Architecture.LinearTensors]
) throws -> Architecture {
  let sizes = try GPTSizes(configuration)
  guard let rotated = try configuration.switchableInteger("rotary_dim", default: 64), rotated % 2 == 0,
    rotated <= sizes.headSize, rotated <= RotaryParameters.largestSize
  else {
    throw ErrataError.wrongField(
      configuration.path, "rotary_dim", expected: "an even number up to the head's size, \(sizes.headSize)",
      found: configuration.value("rotary_dim")?.integerValue.map(String.init) ?? "null")
  }
  let prefix = prefix(["transformer.", ""], of: "wte.weight", contains)
  let embedding = ByteString(prefix + "wte.weight")
  return Architecture(
    family: configuration.modelType,
    layers: (0..<sizes.layerCount).map { layer in
      let names = BlockNames(prefix: "\(prefix)h.\(layer).")
      return .init(
        heads: .init(count: sizes.headCount, keyValueCount: sizes.headCount, size: sizes.headSize),
        intermediateSize: sizes.intermediateSize,
        attentionNormalization: names.normalization("ln_1"),
        queryKeyValue: queryKeyValue(names),
        rotary: 0,
        attentionOutput: names.linear("attn.out_proj", hasBias: false),
        perceptronNormalization: names.normalization("ln_1"),
        up: [names.linear("mlp.fc_in")],
        down: names.linear("mlp.fc_out"))
    },
    hiddenSize: sizes.hiddenSize,
    intermediateSize: sizes.intermediateSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("n_positions", default: 2048),
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    residual: .parallel,
    perceptron: .plain(try configuration.activation("activation_function")),
    rotaries: [
      RotaryEmbedding(
        inverseFrequencies: RotaryParameters.frequencies(base: 10000, size: rotated), isInterleaved: true)
    ],
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: prefix).normalization("ln_f"),
    head: head(
      isTied: try configuration.boolean("tie_word_embeddings", default: false), embedding: embedding, contains),
    headBias: contains("lm_head.bias") ? "lm_head.bias" : nil)
}
