import Tensors

/// GPT-2: layer norm, learned positions, plain GELU, linear maps stored [in, out] (Conv1D), tied head.
func describeGPT2(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  try configuration.require("scale_attn_weights", true)
  try configuration.require("scale_attn_by_inverse_layer_idx", false)
  var architecture = try describeGPT(configuration, contains)
  architecture.storesTransposed = true
  return architecture
}

/// GPT-BigCode (SantaCoder, StarCoder): GPT-2 with maps stored [out, in], all of whose heads share one key and one
/// value.
func describeGPTBigCode(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  let sharesKeys = try configuration.boolean("multi_query", default: true)
  var architecture = try describeGPT(
    configuration, contains, keyValueHeadCount: sharesKeys ? 1 : nil, defaultActivation: "gelu_pytorch_tanh")
  // Else the outputs of each head stand together.
  architecture.fusedLayout = sharesKeys ? .concatenated : .groupedByHead
  if try !configuration.boolean("scale_attn_weights", default: true) { architecture.attentionScale = 1 }
  return architecture
}

/// - Parameter keyValueHeadCount: nil for as many as there are heads.
private func describeGPT(
  _ configuration: Configuration, _ contains: Family.Contains, keyValueHeadCount: Int? = nil,
  defaultActivation: String? = nil
) throws -> Architecture {
  try configuration.require("add_cross_attention", false)
  // The checkpoints of the first release lack the prefix.
  let prefix = prefix(["transformer.", ""], of: "wte.weight", contains)
  let sizes = try GPTSizes(configuration)
  let heads = Architecture.Heads(
    count: sizes.headCount, keyValueCount: keyValueHeadCount ?? sizes.headCount, size: sizes.headSize)
  let embedding = ByteString(prefix + "wte.weight")
  return Architecture(
    family: configuration.modelType,
    layers: (0..<sizes.layerCount).map { layer in
      let names = BlockNames(prefix: "\(prefix)h.\(layer).")
      return .init(
        heads: heads,
        intermediateSize: sizes.intermediateSize,
        attentionNormalization: names.normalization("ln_1"),
        queryKeyValue: [names.linear("attn.c_attn")],
        attentionOutput: names.linear("attn.c_proj"),
        perceptronNormalization: names.normalization("ln_2"),
        up: [names.linear("mlp.c_fc")],
        down: names.linear("mlp.c_proj"))
    },
    hiddenSize: sizes.hiddenSize,
    intermediateSize: sizes.intermediateSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger(
      configuration.field("n_positions", "max_position_embeddings"), default: 1024),
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    perceptron: .plain(try configuration.activation("activation_function", default: defaultActivation)),
    learnedPositions: .init(tensor: ByteString(prefix + "wpe.weight")),
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: prefix).normalization("ln_f"),
    head: head(
      isTied: try configuration.boolean("tie_word_embeddings", default: true), embedding: embedding, contains))
}

/// The sizes of GPT-2 and its kin, by the names that GPT-2 gave them; newer files may have everybody's names.
struct GPTSizes {
  let hiddenSize: Int
  let headCount: Int
  let headSize: Int
  let layerCount: Int
  let intermediateSize: Int

  init(_ configuration: Configuration) throws {
    let hiddenField = configuration.field("n_embd", "hidden_size")
    let headField = configuration.field("n_head", "num_attention_heads")
    hiddenSize = try configuration.positiveInteger(hiddenField)
    headCount = try configuration.positiveInteger(headField)
    headSize = try configuration.evenHeadSize(hiddenSize, headCount, field: headField, of: hiddenField)
    layerCount = try configuration.layerCount(configuration.field("n_layer", "num_hidden_layers"))
    intermediateSize = try configuration.positiveInteger("n_inner", default: 4 * hiddenSize)
  }
}
