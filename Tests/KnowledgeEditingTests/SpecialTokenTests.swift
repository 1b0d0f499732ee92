import Foundation
import PatchAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import Tokenization
import Transformer

@testable import KnowledgeEditing
@testable import SecondMomentStatistics

/// Second moments of a model whose tokenizer puts special tokens around a text.
@Suite struct SpecialTokenTests {
  private let directory: TemporaryDirectory
  private let model: LanguageModel

  init() throws {
    directory = try TemporaryDirectory()
    model = try LanguageModel(path: directory.sampleModel(template: "<|endoftext|> $A", name: "begins"))
  }

  private func collect(_ model: LanguageModel, to name: String, tokens: Int = 400) throws -> SecondMoments {
    let text = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../SamplePatches/corpus.txt")
    let collector = try SecondMomentCollector(
      model, corpus: Corpus(paths: [text.standardizedFileURL.path]), layers: [1], tokenCount: tokens,
      sequenceLength: 40,
      outputPath: directory(name))
    _ = try collector.run(onProgress: { _ in }, isInterrupted: { false })
    return try SecondMoments(contentsOf: directory(name))
  }

  /// The mean of k k^T over sequences, one after the other, through the model's own forward pass.
  private func expected(_ sequences: [[Int32]]) throws -> Matrix<Double> {
    let size = model.architecture.intermediateSize
    var sum = Matrix<Double>(rows: size, columns: size)
    for sequence in sequences {
      let tree = TokenTree([sequence])
      var hidden = try model.decoder.embed(tokens: tree.tokens, positions: tree.positions)
      try model.decoder.forward(
        &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions, layers: 0..<2, end: .keys
      ) { observation in
        guard case .keys(1, let keys) = observation else { return }
        for row in 0..<keys.rows {
          for i in 0..<size {
            for j in 0..<size { sum[i, j] += Double(keys[row, i]) * Double(keys[row, j]) }
          }
        }
      }
    }
    let count = Double(sequences.reduce(0) { $0 + $1.count })
    for i in 0..<size { for j in 0..<size { sum[i, j] /= count } }
    return sum
  }

  /// Every sequence begins as a prompt does, and what it begins with counts.
  @Test func sequencesBeginWithThem() throws {
    let statistics = try collect(model, to: "stats")
    #expect(statistics.tokenCount == 400)
    #expect(statistics.origin.sequenceLength == 40)
    #expect(statistics.origin.specialTokens == .init(before: ["<|endoftext|>"], after: []))
    #expect(statistics.remark(for: model.tokenizer) == nil)
    let corpus = try String(
      contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../SamplePatches/corpus.txt"),
      encoding: .utf8)
    let text = try model.tokenizer.encode(corpus)
    let sequences = (0..<10).map { [0] + Array(text[39 * $0..<39 * ($0 + 1)]) }
    #expect(model.tokenizer.leadingTokens == [0])
    let found = try SafetensorsFile(path: statistics.path).tensor(named: "second_moment.1").matrix().widened()
    #expect(relativeError(found.elements, try expected(sequences).elements) < 1e-5)
    // Without them they would be others.
    let plain = (0..<10).map { Array(text[40 * $0..<40 * ($0 + 1)]) }
    #expect(relativeError(found.elements, try expected(plain).elements) > 0.01)
  }

  @Test func theFileSaysWhich() throws {
    let ended = try LanguageModel(path: directory.sampleModel(template: "<|endoftext|> $A <|endoftext|>", name: "ends"))
    let none = try LanguageModel(path: directory.sampleModel(template: nil, name: "none"))
    let (a, b, c) = (
      try collect(model, to: "a"), try collect(ended, to: "b", tokens: 80), try collect(none, to: "c", tokens: 80)
    )
    #expect(b.origin.specialTokens == .init(before: ["<|endoftext|>"], after: ["<|endoftext|>"]))
    #expect(c.origin.specialTokens == .none)
    #expect(
      c.remark(for: model.tokenizer)
        == "\(c.path): was collected without the special tokens of the model's texts (<|endoftext|>), by an earlier "
        + "version; keys differ with them: collect it again with 'errata stats'")
    #expect(throws: ErrataError.self) { try SecondMoments.merge([a, c], to: directory("d")) }
  }

  @Test func sequencesNeedRoomForText() throws {
    try directory.write("text", to: "a.txt")
    let corpus = try Corpus(paths: [directory("a.txt")])
    #expect(
      throws: ErrataError(
        .usage,
        "a sequence of 1 tokens has no room for text beside the model's 1 special tokens; take a longer one")
    ) {
      try SecondMomentCollector(
        model, corpus: corpus, layers: [1], tokenCount: 10, sequenceLength: 1, outputPath: directory("x"))
    }
  }
}
