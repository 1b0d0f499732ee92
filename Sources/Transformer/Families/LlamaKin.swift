import Tensors

/// What Llama and the families that came from it share: rotary positions, grouped-query attention, the same names of
/// fields and tensors. A family says in what it differs.
struct LlamaKin {
  /// The names of a block's norms; nil for one that is not there.
  struct NormNames {
    var attention: String? = "input_layernorm"
    var attentionOutput: String?
    var perceptron: String? = "post_attention_layernorm"
    var down: String?

    /// Before and behind each branch (Gemma 2).
    static let around = NormNames(
      attention: "input_layernorm", attentionOutput: "post_attention_layernorm",
      perceptron: "pre_feedforward_layernorm", down: "post_feedforward_layernorm")
    /// Behind each branch alone (OLMo 2).
    static let behind = NormNames(
      attention: nil, attentionOutput: "post_attention_layernorm", perceptron: nil,
      down: "post_feedforward_layernorm")
    /// One for both branches, which stand in parallel (Cohere).
    static let shared = NormNames(attention: "input_layernorm", perceptron: "input_layernorm")
  }

  /// How the norms are computed, and by which fields.
  struct Norms {
    var field = "rms_norm_eps"
    var defaultEpsilon = 1e-6
    var isLayerNorm = false
    var hasWeight = true
    var hasBias = false
    var weightOffset: Float = 0

    static func layer(_ field: String = "layer_norm_eps", hasBias: Bool = true) -> Norms {
      Norms(field: field, defaultEpsilon: 1e-5, isLayerNorm: true, hasBias: hasBias)
    }
  }

  /// The normalization of queries and keys.
  struct HeadNorms {
    var query = "q_norm"
    var key = "k_norm"
    var scope = Architecture.HeadNormalizationTensors.Scope.eachHead
    /// Whether each head's norm is a tensor of its own, numbered.
    var isNumbered = false
    var hasBias = false
    var includesValues = false
    var followsRotation = false
  }

  var norms = Norms()
  var normNames = NormNames()
  var finalNormName = "norm"
  var residual = Architecture.Residual.sequential

  /// Whether query, key and value have a bias, and whether attention's output has.
  var hasQueryKeyValueBias = false
  var hasAttentionOutputBias = false
  var queryKeyValueNames = ["q_proj", "k_proj", "v_proj"]
  var attentionOutputName = "o_proj"
  var headNorms: HeadNorms?
  /// The length of a head if the file does not say; nil for the hidden size divided by the number of heads.
  var defaultHeadSize: Int?
  var attentionScale: Float?
  var attentionScoreCap: Float?
  var queryKeyValueLimit: Float?
  /// How many rows a row sees at most, by layer.
  var attentionWindow: @Sendable (Int) -> Int? = { _ in nil }

  var rotary = RotaryParameters.Options()
  /// Which layers rotate their queries and keys.
  var rotates: @Sendable (Int) -> Bool = { _ in true }
  /// For a family with rotary parameters for each type of layer: those of layers that slide.
  var slidingRotary: RotaryParameters.Options?
  /// Which layers slide, in such a family.
  var slides: @Sendable (Int) -> Bool = { _ in false }
  /// The length of a head in layers that do not slide, if it is another.
  var fullHeadSize: Int?

  var upNames = ["gate_proj", "up_proj"]
  var downName = "down_proj"
  var isGated = true
  var hasPerceptronBias = false
  var activationField = "hidden_act"
  var activation: Activation?
  /// Whether the activation is an xIELU, whatever the field says.
  var isXIELU = false

  var isTiedByDefault = false
  var embeddingScale: Float?
  var hasHeadBias = false
  var branchScale: Float = 1
  var logitScale: Float = 1
  var logitCap: Float?

  /// Where the decoder's tensors may stand: alone, or in a model for images too.
  static let prefixes = ["model.", "model.language_model.", "language_model.model.", ""]

  func describe(_ configuration: Configuration, _ contains: Family.Contains) throws -> Architecture {
    let hiddenSize = try configuration.positiveInteger("hidden_size")
    let heads = try heads(configuration, hiddenSize: hiddenSize)
    let prefix = prefix(Self.prefixes, of: "embed_tokens.weight", contains)
    let embedding = ByteString(prefix + "embed_tokens.weight")
    let layerCount = try configuration.layerCount("num_hidden_layers")
    let intermediateSize = try configuration.positiveInteger("intermediate_size")
    let epsilon = Float(try configuration.number(norms.field, default: norms.defaultEpsilon))
    let rotaries = try self.rotaries(configuration, headSize: heads.size)
    let activation = isXIELU ? .silu : try activation ?? configuration.activation(activationField)
    return Architecture(
      family: configuration.modelType,
      layers: (0..<layerCount).map {
        layer(
          $0, heads: heads, intermediateSize: intermediateSize, BlockNames(prefix: "\(prefix)layers.\($0)."))
      },
      hiddenSize: hiddenSize,
      intermediateSize: intermediateSize,
      vocabularySize: try configuration.positiveInteger("vocab_size"),
      maximumPositions: rotaries.map(\.maximumPositions).min()!,
      normalization: norms.isLayerNorm ? .layer(epsilon: epsilon) : .rootMeanSquare(epsilon: epsilon),
      normalizationWeightOffset: norms.weightOffset,
      residual: residual,
      perceptron: isXIELU ? .xielu : isGated ? .gated(activation) : .plain(activation),
      rotaries: rotaries.map(\.embedding),
      attentionScale: attentionScale,
      attentionScoreCap: attentionScoreCap,
      queryKeyValueLimit: queryKeyValueLimit,
      branchScale: branchScale,
      tokenEmbedding: embedding,
      embeddingScale: embeddingScale ?? 1,
      finalNormalization: normalization(BlockNames(prefix: prefix), finalNormName),
      head: head(
        ["lm_head.weight", "language_model.lm_head.weight"],
        isTied: try configuration.boolean("tie_word_embeddings", default: isTiedByDefault), embedding: embedding,
        contains),
      headBias: hasHeadBias ? "lm_head.bias" : nil,
      logitScale: logitScale,
      logitCap: logitCap,
      notices: rotaries.flatMap(\.notices))
  }

  private func heads(_ configuration: Configuration, hiddenSize: Int) throws -> Architecture.Heads {
    let count = try configuration.positiveInteger("num_attention_heads")
    let size = try configuration.positiveInteger(
      "head_dim", default: defaultHeadSize ?? max(1, hiddenSize / count))
    // Halves of a head are rotated against each other. The bound keeps a damaged file from asking for gigabytes of
    // angles.
    guard size % 2 == 0, size <= RotaryParameters.largestSize else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name("head_dim"),
        expected: "an even number up to \(RotaryParameters.largestSize)", found: String(size))
    }
    return try configuration.heads(
      count: count, keyValueCount: configuration.positiveInteger("num_key_value_heads", default: count), size: size)
  }

  /// One for all layers, or one for those with full attention and one for those that slide.
  private func rotaries(_ configuration: Configuration, headSize: Int) throws -> [RotaryParameters] {
    guard let slidingRotary else {
      return [try RotaryParameters(configuration, headSize: headSize, options: rotary)]
    }
    return [
      try RotaryParameters(
        configuration, headSize: fullHeadSize ?? headSize, options: rotary, layerType: "full_attention"),
      try RotaryParameters(configuration, headSize: headSize, options: slidingRotary, layerType: "sliding_attention"),
    ]
  }

  private func normalization(_ names: BlockNames, _ name: String) -> Architecture.NormalizationTensors {
    norms.hasWeight ? names.normalization(name, hasBias: norms.hasBias) : .init(weight: nil, bias: nil)
  }

  private func layer(
    _ index: Int, heads: Architecture.Heads, intermediateSize: Int, _ names: BlockNames
  ) -> Architecture.Layer {
    func normalization(_ name: String?) -> Architecture.NormalizationTensors? {
      name.map { self.normalization(names, $0) }
    }
    return .init(
      heads: heads,
      intermediateSize: intermediateSize,
      attentionNormalization: normalization(normNames.attention),
      queryKeyValue: queryKeyValueNames.map { names.linear("self_attn.\($0)", hasBias: hasQueryKeyValueBias) },
      headNormalization: headNorms.map { $0.tensors(names, heads) },
      rotary: rotates(index) ? (slides(index) ? 1 : 0) : nil,
      attentionWindow: attentionWindow(index),
      attentionOutput: names.linear("self_attn.\(attentionOutputName)", hasBias: hasAttentionOutputBias),
      attentionOutputNormalization: normalization(normNames.attentionOutput),
      perceptronNormalization: normalization(normNames.perceptron),
      up: upNames.map { names.linear("mlp.\($0)", hasBias: hasPerceptronBias) },
      xielu: isXIELU
        ? .init(
          positive: ByteString(names.prefix + "mlp.act_fn.alpha_p"),
          negative: ByteString(names.prefix + "mlp.act_fn.alpha_n"),
          beta: ByteString(names.prefix + "mlp.act_fn.beta"), epsilon: ByteString(names.prefix + "mlp.act_fn.eps"))
        : nil,
      down: names.linear("mlp.\(downName)", hasBias: hasPerceptronBias),
      downNormalization: normalization(normNames.down))
  }
}

extension LlamaKin.HeadNorms {
  fileprivate func tensors(
    _ names: BlockNames, _ heads: Architecture.Heads
  ) -> Architecture.HeadNormalizationTensors {
    func part(_ name: String, _ count: Int) -> [Architecture.NormalizationTensors] {
      (isNumbered ? (0..<count).map { "\(name).norms.\($0)" } : [name]).map {
        names.normalization("self_attn.\($0)", hasBias: hasBias)
      }
    }
    return .init(
      query: part(query, heads.count), key: part(key, heads.keyValueCount), scope: scope,
      includesValues: includesValues, followsRotation: followsRotation)
  }
}
