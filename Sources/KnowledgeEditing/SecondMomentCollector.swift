import Foundation
import LinearAlgebra
import PatchAlgebra
import Safetensors
import Tensors
import Tokenization
import Transformer

/// Collects second moments: all requested layers in one pass over a text, nothing above the last of them computed.
///
/// The special tokens that the tokenizer puts around a text (a token for its beginning, in Llama and Gemma) stand around
/// the text of each sequence and are counted with it, as in the published `layer_stats`, which lets the tokenizer encode
/// each of its sequences: a fact's prompt begins with them too, and what a token attends to decides its key.
public final class SecondMomentCollector {
  public struct Progress: Sendable {
    public let tokens: Int
    public let total: Int
    /// Counted by an earlier, interrupted run.
    public let resumedTokens: Int
  }

  public enum Outcome: Sendable, Equatable {
    case complete(tokens: Int)
    /// What was counted is kept beside the output; the same command continues.
    case interrupted(tokens: Int, partialPath: String)
  }

  private let model: LanguageModel
  private let corpus: CorpusTokens
  /// With the special tokens.
  private let sequenceLength: Int
  private let origin: SecondMomentOrigin
  private let wantedTokens: Int
  private let outputPath: String
  private var sums: [Int: PackedTriangle]
  private var tokens = 0
  /// Sequences in one pass: enough rows for tall products, few enough for the buffers to stay small.
  private static let rowsPerPass = 2048
  /// Keys that are widened to binary64 at once.
  private static let rowsPerProduct = 512

  private var partialPath: String { outputPath + ".partial" }

  /// The default number of tokens: keys need 2 to 10 times their length; more where that is cheap.
  public static func defaultTokenCount(_ architecture: Architecture) -> Int {
    max(100_000, 10 * architecture.intermediateSize)
  }

  /// Takes up what an interrupted run left for the same output.
  ///
  /// - Parameters:
  ///   - layers: ascending.
  ///   - tokenCount: how many tokens to count; fewer are counted if the text ends.
  ///   - outputPath: the second-moment file to write; an interrupted run's is that with `.partial`.
  /// - Throws: an `ErrataError`, also if the interrupted run was one of another model, text or setting.
  public init(
    _ model: LanguageModel, corpus: Corpus, layers: [Int], tokenCount: Int, sequenceLength: Int,
    outputPath: String
  ) throws {
    try model.check(layers: layers)
    self.model = model
    self.outputPath = outputPath
    wantedTokens = tokenCount
    let length = min(sequenceLength, model.decoder.maximumSequenceLength)
    let specialTokens = model.tokenizer.leadingTokens.count + model.tokenizer.trailingTokens.count
    guard length > specialTokens else { throw ErrataError.sequenceWithoutText(length, specialTokens: specialTokens) }
    self.sequenceLength = length
    self.corpus = CorpusTokens(corpus: corpus, tokenizer: model.tokenizer, sequenceLength: length - specialTokens)
    origin = SecondMomentOrigin(
      model: model.name, tokenizer: model.tokenizer.digest, corpus: corpus.name,
      corpusDigest: corpus.digest, sequenceLength: length,
      weights: Dictionary(
        uniqueKeysWithValues: try layers.map { ($0, try model.checkpoint.digest(of: model.decoder.editedTensor($0))) }),
      specialTokens: SecondMomentOrigin.SpecialTokens(model.tokenizer))
    let blocks = model.architecture.layers
    sums = Dictionary(uniqueKeysWithValues: layers.map { ($0, PackedTriangle(size: blocks[$0].intermediateSize)) })
    guard FileManager.default.fileExists(atPath: partialPath) else { return }
    do {
      try resume()
    } catch let error as ErrataError where error.kind == .damagedInput {
      throw ErrataError.partialDamaged(partialPath)
    }
  }

  /// - Parameters:
  ///   - onProgress: called after each pass.
  ///   - isInterrupted: asked after each pass; true keeps what was counted and stops.
  /// - Throws: an `ErrataError` if the text is not UTF-8, or too short to be of use.
  public func run(onProgress: (Progress) -> Void, isInterrupted: () -> Bool) throws -> Outcome {
    let resumed = tokens
    var sequences: [[Int32]] = []
    var skipped = tokens
    for sequence in corpus {
      let sequence = model.tokenizer.leadingTokens + (try sequence.get()) + model.tokenizer.trailingTokens
      // The interrupted run ended with a whole sequence.
      if skipped > 0 {
        skipped -= sequence.count
        continue
      }
      if tokens + sequences.count * sequenceLength >= wantedTokens { break }
      sequences.append(sequence)
      if (sequences.count + 1) * sequenceLength > Self.rowsPerPass {
        try Profile.measure("passes") { try count(&sequences) }
        onProgress(Progress(tokens: tokens, total: wantedTokens, resumedTokens: resumed))
        if isInterrupted() {
          try writePartial()
          return .interrupted(tokens: tokens, partialPath: partialPath)
        }
      }
    }
    try Profile.measure("passes") { try count(&sequences) }
    guard tokens > 0 else { throw ErrataError.corpusTooShort(corpus.corpus.path, tokens) }
    try Profile.measure("write") { try write() }
    return .complete(tokens: tokens)
  }

  private func count(_ sequences: inout [[Int32]]) throws {
    guard !sequences.isEmpty else { return }
    // Not a prefix tree: a shared beginning is to be counted each time it occurs.
    let length = sequenceLength
    let positions = sequences.flatMap { _ in (0..<length).map(Int32.init) }
    let plan = AttentionPlan(
      runs: sequences.indices.map { .init(rows: $0 * length..<($0 + 1) * length, context: [], group: $0) })
    let tokensOfRows = sequences.flatMap { $0 }
    var hidden = try model.decoder.embed(tokens: tokensOfRows, positions: positions)
    let layers = sums.keys.sorted()
    let widest = layers.map { model.architecture.layers[$0].intermediateSize }.max()!
    var widened = Matrix<Double>(uninitializedRows: min(hidden.rows, Self.rowsPerProduct), columns: widest)
    try model.decoder.forward(
      &hidden, plan: plan, tokens: tokensOfRows, positions: positions, layers: 0..<layers.last! + 1, end: .keys
    ) { [self] observation in
      guard case .keys(let layer, let keys) = observation, sums[layer] != nil else { return }
      let width = keys.columns
      keys.withUnsafePointer { source in
        widened.withUnsafeMutablePointer { target in
          for start in stride(from: 0, to: keys.rows, by: Self.rowsPerProduct) {
            let rows = min(Self.rowsPerProduct, keys.rows - start)
            let shared = Shared((source: source + start * width, target: target))
            Threads.forRanges(rows * width, grain: 1 << 16) { range in
              for index in range { shared.pointer.target[index] = Double(shared.pointer.source[index]) }
            }
            sums[layer]!.addOuterProducts(ofRows: target, count: rows)
          }
        }
      }
    }
    for layer in layers where !sums[layer]!.diagonal.allSatisfy(\.isFinite) {
      throw ErrataError.keysNotFinite(model.checkpoint.path, layer: layer)
    }
    tokens += hidden.rows
    sequences.removeAll(keepingCapacity: true)
  }

  private func write() throws {
    var powers: [Int: Double] = [:]
    for layer in sums.keys {
      powers[layer] = try model.outputPower(ofKeysWithSum: sums[layer]!, tokenCount: tokens, layer: layer)
    }
    try SecondMoments.write(
      sums, tokenCount: tokens, outputPowers: powers, origin: origin, to: outputPath)
    unlink(partialPath)
  }
}

// MARK: - Interrupted runs

extension SecondMomentCollector {
  private func writePartial() throws {
    let description = SecondMomentDescription(origin: origin, tokenCount: tokens, isComplete: false)
    let writer = try SafetensorsWriter(
      path: partialPath,
      tensors: sums.map {
        TensorDeclaration(name: SecondMoments.tensorName($0), dtype: .f64, shape: [$1.elements.count])
      }, metadata: [SecondMoments.metadataKey: ByteString(description.json.serialized())])
    for tensor in writer.header.tensors {
      let sum = sums.first { SecondMoments.tensorName($0.key) == tensor.name }!.value
      try sum.elements.withUnsafePointer {
        try writer.write(
          UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: sum.elements.count)), of: tensor.name)
      }
    }
    try writer.commit()
  }

  private func resume() throws {
    let file = try SafetensorsFile(path: partialPath)
    let found = try SecondMomentDescription(file).origin
    let fields: [(String, Bool)] = [
      ("model or set of layers", found.weights == origin.weights), ("tokenizer", found.tokenizer == origin.tokenizer),
      ("text", found.corpusDigest == origin.corpusDigest),
      ("sequence length", found.sequenceLength == origin.sequenceLength),
      ("set of special tokens", found.specialTokens == origin.specialTokens),
    ]
    if let different = fields.first(where: { !$0.1 }) {
      throw ErrataError.partialOfAnotherRun(partialPath, different.0)
    }
    tokens = try SecondMomentDescription(file).tokenCount
    for layer in sums.keys {
      let elements = try file.tensor(named: SecondMoments.tensorName(layer)).doubleMatrix()
      guard elements.rows == 1, elements.count == sums[layer]!.elements.count else {
        throw ErrataError.notStatistics(partialPath, "layer \(layer) has the wrong shape")
      }
      sums[layer] = PackedTriangle(size: sums[layer]!.size, elements: elements)
    }
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
