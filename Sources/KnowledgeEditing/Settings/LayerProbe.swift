import Facts
import Tensors
import Transformer
import WeightPatch

/// How much a model's next token depends on what one of its blocks adds to the stream at a subject's last token, where
/// an edit writes: the ablation of causal tracing (Meng et al. 2022, section 2), on a few prompts that every model
/// completes.
struct LayerProbe {
  static let texts: [(subject: String, prompt: String)] = [
    ("Paris", "{} is the capital of"),
    ("Isaac Newton", "{} worked in the field of"),
    ("Japan", "The official language of {} is"),
    ("Mount Everest", "{} is on the continent of"),
    ("Beethoven", "{} played the"),
  ]

  private let decoder: Decoder
  private let prompts: [TokenizedPrompt]

  /// - Throws: an `ErrataError` if the tokenizer cannot split a prompt.
  init(_ model: LanguageModel) throws {
    decoder = model.decoder
    let tokenization = PromptTokenization(model.tokenizer)
    prompts = try Self.texts.map {
      try tokenization.prompt(Manifest.Fact(subject: $0.subject, prompt: $0.prompt, targetNew: ""))
    }.filter { $0.tokens.count <= model.architecture.maximumPositions }
  }

  /// For each layer KL(p || p'), in nats: p is the distribution of the next token, p' that without what the layer's
  /// block adds at the subject's last token. The mean over the prompts; nothing if the model is too short for all of
  /// them.
  ///
  /// - Throws: an `ErrataError` if the model computes what is not finite.
  func effects(ofLayers layers: [Int]) throws -> [Int: Double] {
    guard !prompts.isEmpty else { return [:] }
    let tree = TokenTree(prompts.map(\.tokens))
    let initial = try distributions(tree, skipping: nil).map { $0.logProbabilities() }
    var effects: [Int: Double] = [:]
    for layer in layers {
      let divergences = zip(try distributions(tree, skipping: layer), initial).map { $0.divergence(from: $1) }
      let mean = divergences.reduce(0, +) / Double(divergences.count)
      guard mean.isFinite else { throw ErrataError.modelNotFinite(decoder.checkpoint.path) }
      effects[layer] = mean
    }
    return effects
  }

  /// Of the token after each prompt.
  ///
  /// - Parameter skipped: the layer whose block adds nothing at the subject's last token; nil for none.
  private func distributions(_ tree: TokenTree, skipping skipped: Int?) throws -> [TokenDistribution] {
    let architecture = decoder.architecture
    let shared = SharedKeyValues(architecture)
    var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
    func run(_ layers: Range<Int>) throws {
      // Below the first layer and above the last there is nothing.
      guard !layers.isEmpty else { return }
      try decoder.forward(
        &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions, layers: layers,
        shared: shared)
    }
    if let skipped {
      try run(0..<skipped)
      let input = hidden
      try run(skipped..<skipped + 1)
      for (rows, prompt) in zip(tree.rowsOfSequence, prompts) {
        let row = rows[prompt.lookup]
        for column in 0..<architecture.hiddenSize { hidden[row, column] = input[row, column] }
      }
    }
    try run((skipped.map { $0 + 1 } ?? 0)..<architecture.layerCount)
    let logits = decoder.logits(hidden.rows(at: tree.rowsOfSequence.map { $0.last! }))
    return tree.rowsOfSequence.indices.map { TokenDistribution(logits: logits, row: $0) }
  }
}
