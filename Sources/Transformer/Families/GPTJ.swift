import Foundation
import Tensors

/// GPT-J: one layer norm for attention and perceptron, which stand in parallel; the first part of each head is rotated,
/// in neighbouring pairs; the head has a bias.
func describeGPTJ(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
  let hiddenSize = try configuration.positiveInteger("n_embd")
  let headCount = try configuration.positiveInteger("n_head")
  let headSize = try configuration.evenHeadSize(hiddenSize, headCount, field: "n_head", of: "n_embd")
  guard let rotated = try configuration.switchableInteger("rotary_dim", default: 64), rotated % 2 == 0,
    rotated <= headSize, rotated <= RotaryParameters.largestSize
  else {
    throw ErrataError.wrongField(
      configuration.path, "rotary_dim", expected: "an even number up to the head's size, \(headSize)",
      found: configuration.value("rotary_dim")?.integerValue.map(String.init) ?? "null")
  }
  let embedding: ByteString = "transformer.wte.weight"
  let isTied = try configuration.boolean("tie_word_embeddings", default: false)
  return Architecture(
    family: configuration.modelType,
    layerCount: try configuration.positiveInteger("n_layer"),
    hiddenSize: hiddenSize,
    headCount: headCount,
    keyValueHeadCount: headCount,
    headSize: headSize,
    intermediateSize: try configuration.positiveInteger("n_inner", default: 4 * hiddenSize),
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("n_positions", default: 2048),
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    residual: .parallel,
    positions: .rotary(
      RotaryEmbedding(
        inverseFrequencies: RotaryParameters.frequencies(base: 10000, size: rotated), isInterleaved: true)),
    perceptron: .plain(try configuration.activation("activation_function")),
    storesTransposed: false,
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: "transformer.").normalization("ln_f"),
    head: isTied ? embedding : "lm_head.weight",
    headBias: contains("lm_head.bias") ? "lm_head.bias" : nil,
    layer: { layer in
      let names = BlockNames(prefix: "transformer.h.\(layer).")
      return .init(
        attentionNormalization: names.normalization("ln_1"),
        queryKeyValue: ["q_proj", "k_proj", "v_proj"].map { names.linear("attn.\($0)", hasBias: false) },
        attentionOutput: names.linear("attn.out_proj", hasBias: false),
        perceptronNormalization: names.normalization("ln_1"),
        up: [names.linear("mlp.fc_in")],
        down: names.linear("mlp.fc_out"))
    })
}
