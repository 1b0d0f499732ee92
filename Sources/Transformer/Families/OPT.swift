import Tensors

/// OPT: learned positions that begin at the third row, ReLU; in OPT-350M embeddings of another size, and norms over the
/// stream behind each branch.
func describeOPT(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  let hiddenSize = try configuration.positiveInteger("hidden_size")
  let headCount = try configuration.positiveInteger("num_attention_heads")
  let headSize = try configuration.evenHeadSize(
    hiddenSize, headCount, field: "num_attention_heads", of: "hidden_size")
  let intermediateSize = try configuration.positiveInteger("ffn_dim")
  let hasBias = try configuration.boolean("enable_bias", default: true)
  let normHasWeight = try configuration.boolean("layer_norm_elementwise_affine", default: true)
  let isBefore = try configuration.boolean("do_layer_norm_before", default: true)
  let endsWithoutNorm = try configuration.boolean("_remove_final_layer_norm", default: false)
  let prefix = prefix(["model.decoder.", "decoder.", ""], of: "embed_tokens.weight", contains)
  func normalization(_ names: BlockNames, _ name: String) -> Architecture.NormalizationTensors {
    normHasWeight ? names.normalization(name) : .init(weight: nil, bias: nil)
  }
  let embedding = ByteString(prefix + "embed_tokens.weight")
  let embeddingSize = try configuration.positiveInteger("word_embed_proj_dim", default: hiddenSize)
  let isProjected = embeddingSize != hiddenSize
  return Architecture(
    family: configuration.modelType,
    layers: (0..<(try configuration.layerCount("num_hidden_layers"))).map { layer in
      let names = BlockNames(prefix: "\(prefix)layers.\(layer).")
      let first = normalization(names, "self_attn_layer_norm")
      let second = normalization(names, "final_layer_norm")
      return .init(
        heads: .init(count: headCount, keyValueCount: headCount, size: headSize),
        intermediateSize: intermediateSize,
        attentionNormalization: isBefore ? first : nil,
        queryKeyValue: ["q_proj", "k_proj", "v_proj"].map { names.linear("self_attn.\($0)", hasBias: hasBias) },
        attentionOutput: names.linear("self_attn.out_proj", hasBias: hasBias),
        middleNormalization: isBefore ? nil : first,
        perceptronNormalization: isBefore ? second : nil,
        up: [names.linear("fc1", hasBias: hasBias)],
        down: names.linear("fc2", hasBias: hasBias),
        leavingNormalization: isBefore ? nil : second)
    },
    hiddenSize: hiddenSize,
    intermediateSize: intermediateSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("max_position_embeddings", default: 2048),
    normalization: .layer(epsilon: 1e-5),
    perceptron: .plain(try configuration.activation("activation_function", default: "relu")),
    learnedPositions: .init(tensor: ByteString(prefix + "embed_positions.weight"), firstRow: 2),
    tokenEmbedding: embedding,
    embeddingProjection: isProjected ? (embeddingSize, ByteString(prefix + "project_in.weight")) : nil,
    finalNormalization: isBefore && !endsWithoutNorm
      ? normalization(BlockNames(prefix: prefix), "final_layer_norm") : nil,
    outputProjection: isProjected ? ByteString(prefix + "project_out.weight") : nil,
    head: head(
      isTied: try configuration.boolean("tie_word_embeddings", default: true), embedding: embedding, contains))
}
