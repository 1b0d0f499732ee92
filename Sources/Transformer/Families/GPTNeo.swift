import Tensors

/// GPT-Neo: GPT-2 with maps stored [out, in], unscaled scores, and layers that see a window only.
func describeGPTNeo(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
  let prefix = prefix(["transformer.", ""], of: "wte.weight", contains)
  let hiddenSize = try configuration.positiveInteger("hidden_size")
  let headField = configuration.field("num_heads", "num_attention_heads")
  let headCount = try configuration.positiveInteger(headField)
  let headSize = try configuration.evenHeadSize(hiddenSize, headCount, field: headField, of: "hidden_size")
  let layerCount = try configuration.layerCount(configuration.field("num_layers", "num_hidden_layers"))
  let intermediateSize = try configuration.positiveInteger("intermediate_size", default: 4 * hiddenSize)
  let window = try configuration.positiveInteger("window_size", default: 256)
  let slides = try configuration.localLayers(layerCount)
  let embedding = ByteString(prefix + "wte.weight")
  return Architecture(
    family: configuration.modelType,
    layers: (0..<layerCount).map { layer in
      let names = BlockNames(prefix: "\(prefix)h.\(layer).")
      return .init(
        heads: .init(count: headCount, keyValueCount: headCount, size: headSize),
        intermediateSize: intermediateSize,
        attentionNormalization: names.normalization("ln_1"),
        queryKeyValue: ["q_proj", "k_proj", "v_proj"].map { names.linear("attn.attention.\($0)", hasBias: false) },
        attentionWindow: slides[layer] ? window : nil,
        attentionOutput: names.linear("attn.attention.out_proj"),
        perceptronNormalization: names.normalization("ln_2"),
        up: [names.linear("mlp.c_fc")],
        down: names.linear("mlp.c_proj"))
    },
    hiddenSize: hiddenSize,
    intermediateSize: intermediateSize,
    vocabularySize: try configuration.positiveInteger("vocab_size"),
    maximumPositions: try configuration.positiveInteger("max_position_embeddings", default: 2048),
    normalization: .layer(epsilon: Float(try configuration.number("layer_norm_epsilon", default: 1e-5))),
    perceptron: .plain(try configuration.activation("activation_function", default: "gelu_new")),
    learnedPositions: .init(tensor: ByteString(prefix + "wpe.weight")),
    attentionScale: 1,
    tokenEmbedding: embedding,
    finalNormalization: BlockNames(prefix: prefix).normalization("ln_f"),
    head: head(
      isTied: try configuration.boolean("tie_word_embeddings", default: true), embedding: embedding, contains))
}

extension Configuration {
  /// Which layers see a window only, by `attention_types`: [[["global", "local"], 12]] for twelve pairs of layers.
  fileprivate func localLayers(_ layerCount: Int) throws -> [Bool] {
    guard let types = value("attention_types") else { return (0..<layerCount).map { $0 % 2 == 1 } }
    func wrong(_ found: String) -> ErrataError {
      ErrataError.wrongField(
        path, name("attention_types"),
        expected: "lists of 'global' and 'local' with their counts, \(layerCount) layers in all", found: found)
    }
    var flags: [Bool] = []
    for group in types.arrayValue ?? [] {
      guard let parts = group.arrayValue, parts.count == 2, let kinds = parts[0].arrayValue,
        let count = parts[1].integerValue, count >= 0, count * kinds.count <= layerCount
      else { throw wrong(group.kind) }
      let flagsOfGroup = try kinds.map { kind in
        switch kind.stringValue {
        case "global": return false
        case "local": return true
        default: throw wrong(kind.stringValue.map { "'\($0)'" } ?? kind.kind)
        }
      }
      for _ in 0..<count { flags += flagsOfGroup }
    }
    guard flags.count == layerCount else { throw wrong(types.arrayValue == nil ? types.kind : "\(flags.count)") }
    return flags
  }
}
