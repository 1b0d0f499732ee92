import Tensors

/// What Llama and the families that came from it share: RMS norm, rotary positions, grouped-query attention, a gated
/// perceptron, the same names of fields and tensors. A family says in what it differs.
struct LlamaKin {
  /// Whether query, key and value have a bias, and whether attention's output has.
  var hasQueryKeyValueBias = false
  var hasAttentionOutputBias = false
  var hasPerceptronBias = false
  /// The length of a head if the file does not say; nil for the hidden size divided by the number of heads.
  var defaultHeadSize: Int?
  var normalizesQueriesAndKeys = false
  /// Whether the norms behind attention and perceptron stand before those branches are added to the stream (Gemma 2).
  var normalizesBranches = false
  var isFused = false
  var isTiedByDefault = false
  var defaultEpsilon = 1e-6
  /// Where the file does not say.
  var defaultMaximumPositions = 2048
  /// Whether the file may say that only a part of each head is rotated.
  var allowsPartialRotation = false
  var activationField = "hidden_act"
  var activation: Activation?
  var normalizationWeightOffset: Float = 0
  var scalesEmbeddings = false
  var attentionScale: Float?
  var attentionScoreCap: Float?
  var logitCap: Float?
  /// How many rows a row sees at most, by layer.
  var attentionWindow: @Sendable (Int) -> Int? = { _ in nil }

  func describe(_ configuration: Configuration, contains: (ByteString) -> Bool) throws -> Architecture {
    let hiddenSize = try configuration.positiveInteger("hidden_size")
    let headCount = try configuration.positiveInteger("num_attention_heads")
    let headSize = try configuration.positiveInteger(
      "head_dim", default: defaultHeadSize ?? max(1, hiddenSize / headCount))
    // Halves of a head are rotated against each other. The bound keeps a damaged file from asking for gigabytes of angles.
    guard headSize % 2 == 0, headSize <= RotaryParameters.largestSize else {
      throw ErrataError.wrongField(
        configuration.path, "head_dim", expected: "an even number up to \(RotaryParameters.largestSize)",
        found: String(headSize))
    }
    let keyValueHeadCount = try configuration.positiveInteger("num_key_value_heads", default: headCount)
    guard headCount % keyValueHeadCount == 0 else {
      throw ErrataError.wrongField(
        configuration.path, "num_key_value_heads", expected: "a divisor of num_attention_heads",
        found: String(keyValueHeadCount))
    }
    let rotary = try RotaryParameters(
      configuration, headSize: headSize, shareField: allowsPartialRotation ? "partial_rotary_factor" : nil,
      defaultMaximumPositions: defaultMaximumPositions)
    let isTied = try configuration.boolean("tie_word_embeddings", default: isTiedByDefault)
    let kin = self
    return Architecture(
      family: configuration.modelType,
      layerCount: try configuration.positiveInteger("num_hidden_layers"),
      hiddenSize: hiddenSize,
      headCount: headCount,
      keyValueHeadCount: keyValueHeadCount,
      headSize: headSize,
      intermediateSize: try configuration.positiveInteger("intermediate_size"),
      vocabularySize: try configuration.positiveInteger("vocab_size"),
      maximumPositions: rotary.maximumPositions,
      normalization: .rootMeanSquare(epsilon: Float(try configuration.number("rms_norm_eps", default: defaultEpsilon))),
      normalizationWeightOffset: normalizationWeightOffset,
      positions: .rotary(rotary.embedding),
      perceptron: .gated(try activation ?? configuration.activation(activationField)),
      storesTransposed: false,
      attentionScale: attentionScale,
      attentionScoreCap: attentionScoreCap,
      logitCap: logitCap,
      tokenEmbedding: "model.embed_tokens.weight",
      embeddingScale: scalesEmbeddings ? Float(hiddenSize).squareRoot() : 1,
      finalNormalization: .init(weight: "model.norm.weight", bias: nil),
      head: isTied ? "model.embed_tokens.weight" : "lm_head.weight",
      notices: rotary.notices,
      layer: { kin.block($0) })
  }

  private func block(_ layer: Int) -> Architecture.LayerTensors {
    let names = BlockNames(prefix: "model.layers.\(layer).")
    func normalization(_ name: String) -> Architecture.NormalizationTensors {
      names.normalization(name, hasBias: false)
    }
    return .init(
      attentionNormalization: normalization("input_layernorm"),
      queryKeyValue: (isFused ? ["qkv_proj"] : ["q_proj", "k_proj", "v_proj"]).map {
        names.linear("self_attn.\($0)", hasBias: hasQueryKeyValueBias)
      },
      queryNormalization: normalizesQueriesAndKeys ? normalization("self_attn.q_norm") : nil,
      keyNormalization: normalizesQueriesAndKeys ? normalization("self_attn.k_norm") : nil,
      attentionOutput: names.linear("self_attn.o_proj", hasBias: hasAttentionOutputBias),
      attentionOutputNormalization: normalizesBranches ? normalization("post_attention_layernorm") : nil,
      perceptronNormalization: normalization(
        normalizesBranches ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
      up: (isFused ? ["gate_up_proj"] : ["gate_proj", "up_proj"]).map {
        names.linear("mlp.\($0)", hasBias: hasPerceptronBias)
      },
      down: names.linear("mlp.down_proj", hasBias: hasPerceptronBias),
      downNormalization: normalizesBranches ? normalization("post_feedforward_layernorm") : nil,
      attentionWindow: attentionWindow(layer))
  }
}

extension Configuration {
  /// Which layers see a window only, by `layer_types`.
  ///
  /// - Parameters:
  ///   - window: what such a layer sees.
  ///   - isSliding: for a file without the field.
  func attentionWindows(
    _ window: Int?, isSliding: @escaping @Sendable (Int) -> Bool
  ) throws -> @Sendable (Int) -> Int? {
    guard let types = value("layer_types") else { return { isSliding($0) ? window : nil } }
    guard let names = types.arrayValue else {
      throw ErrataError.wrongField(path, "layer_types", expected: "an array", found: types.kind)
    }
    let flags = try names.map { name in
      switch name.stringValue {
      case "full_attention": return false
      case "sliding_attention": return true
      default:
        throw ErrataError.unsupportedSetting(
          path, "layer_types", name.stringValue.map { "'\($0)'" } ?? name.kind,
          supported: "full_attention, sliding_attention")
      }
    }
    let layerCount = try positiveInteger("num_hidden_layers")
    guard flags.count == layerCount else {
      throw ErrataError.wrongField(
        path, "layer_types", expected: "one name for each of \(layerCount) layers", found: String(flags.count))
    }
    return { $0 < flags.count && flags[$0] ? window : nil }
  }
}
