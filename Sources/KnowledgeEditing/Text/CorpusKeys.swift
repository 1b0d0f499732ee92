import LinearAlgebra
import SecondMomentStatistics
import Tensors
import Tokenization
import Transformer

/// The keys of a model at every token of a corpus.
private struct CorpusKeys: KeySource {
  let language: LanguageModel
  let corpus: Corpus
  let origin: SecondMomentOrigin
  let layers: [Int]

  var model: any MeasuredModel { language }

  /// - Throws: an `ErrataError` if the model has no such layers, or if a sequence has no room for text.
  init(_ model: LanguageModel, _ corpus: Corpus, layers: [Int], sequenceLength: Int, part: Part?) throws {
    try model.check(layers: layers)
    language = model
    self.layers = layers
    self.corpus = corpus
    let length = min(sequenceLength, model.decoder.maximumSequenceLength)
    let specialTokens = model.tokenizer.leadingTokens.count + model.tokenizer.trailingTokens.count
    guard length > specialTokens else { throw ErrataError.sequenceWithoutText(length, specialTokens: specialTokens) }
    origin = SecondMomentOrigin(
      model: model.name, tokenizer: model.tokenizer.digest, corpus: corpus.name,
      corpusDigest: corpus.digest, sequenceLength: length,
      weights: Dictionary(
        uniqueKeysWithValues: try layers.map { ($0, try model.weightDigest(ofLayer: $0)) }),
      specialTokens: model.specialTokens, part: part)
  }

  func sequences() -> AnySequence<Result<[Int32], ErrataError>> {
    let tokenizer = language.tokenizer
    let length = origin.sequenceLength - tokenizer.leadingTokens.count - tokenizer.trailingTokens.count
    return AnySequence(
      CorpusTokens(corpus: corpus, tokenizer: tokenizer, sequenceLength: length).lazy.map { sequence in
        sequence.map { tokenizer.leadingTokens + $0 + tokenizer.trailingTokens }
      })
  }

  func measureKeys(of sequences: [[Int32]], _ body: (_ layer: Int, _ keys: Matrix<Float>) -> Void) throws {
    // Not a prefix tree: a shared beginning is to be counted each time it occurs.
    let length = origin.sequenceLength
    let positions = sequences.flatMap { _ in (0..<length).map(Int32.init) }
    let plan = AttentionPlan(
      runs: sequences.indices.map { .init(rows: $0 * length..<($0 + 1) * length, context: [], group: $0) })
    let tokens = sequences.flatMap { $0 }
    var hidden = try language.decoder.embed(tokens: tokens, positions: positions)
    try withoutActuallyEscaping(body) { body in
      try language.decoder.forward(
        &hidden, plan: plan, tokens: tokens, positions: positions, layers: 0..<layers.last! + 1, end: .keys
      ) { observation in
        if case .keys(let layer, let keys) = observation, layers.contains(layer) { body(layer, keys) }
      }
    }
  }

  var byteCountPerRow: Int { Tape.byteCountPerRow(language.architecture) + 4 * language.architecture.hiddenSize }

  var textTooShort: ErrataError { ErrataError.corpusTooShort(corpus.path, 0) }

  func keysNotFinite(layer: Int) -> ErrataError { ErrataError.keysNotFinite(language.checkpoint.path, layer: layer) }
}

extension SecondMomentCollector {
  /// The default number of tokens: keys need 2 to 10 times their length; more where that is cheap.
  public static func defaultTokenCount(_ architecture: Architecture) -> Int {
    max(100_000, 10 * architecture.intermediateSize)
  }

  /// Collects for a model and a text, and takes up what an interrupted run left for the same output.
  ///
  /// - Parameters:
  ///   - layers: ascending.
  ///   - tokenCount: how many tokens to count, in all parts together; fewer are counted if the text ends.
  ///   - part: counts every so many sequences alone; `SecondMoments.merge` makes one of all parts.
  ///   - outputPath: the second-moment file to write; an interrupted run's is that with `.partial`.
  /// - Throws: an `ErrataError`, also if the interrupted run was one of another model, text or setting.
  public convenience init(
    _ model: LanguageModel, corpus: Corpus, layers: [Int], tokenCount: Int, sequenceLength: Int,
    part: Part? = nil, outputPath: String
  ) throws {
    let source = try CorpusKeys(model, corpus, layers: layers, sequenceLength: sequenceLength, part: part)
    try self.init(source, tokenCount: tokenCount, outputPath: outputPath)
  }
}

extension SecondMomentOrigin.SpecialTokens {
  /// What a tokenizer puts around a text.
  init(_ tokenizer: Tokenizer) {
    func names(_ tokens: [Int32]) -> [String] { tokens.map { tokenizer.token(of: $0)?.description ?? String($0) } }
    self.init(before: names(tokenizer.leadingTokens), after: names(tokenizer.trailingTokens))
  }
}

extension SecondMoments {
  /// For people: that the sequences lacked the special tokens that a model's texts have; nil if they did not.
  public func remark(for tokenizer: Tokenizer) -> String? {
    let expected = SecondMomentOrigin.SpecialTokens(tokenizer)
    guard origin.specialTokens != expected else { return nil }
    let tokens = (expected.before + expected.after).joined(separator: ", ")
    return "\(path): was collected without the special tokens of the model's texts (\(tokens)), by an earlier version; "
      + "keys differ with them: collect it again with 'errata stats'"
  }
}
