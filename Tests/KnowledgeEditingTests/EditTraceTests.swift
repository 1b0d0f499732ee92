import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing
import Transformer
import WeightPatch

@testable import KnowledgeEditing

/// Tracing random batches on the tiny random model of some families: one that stores its weights transposed, a
/// parallel one, a plain one, one that normalizes what the down-projection puts out, and one that adds a share of it.
@Suite struct EditTraceTests {
  static let families = ["gpt2", "gptj", "llama_untied", "gemma2", "granite"]
  private static let tokens: [Int32] = [11, 12, 13, 14, 12]

  private let decoders: [String: Decoder]

  init() throws {
    decoders = try Dictionary(
      uniqueKeysWithValues: Self.families.map { ($0, try Decoder(Checkpoint(path: GoldenFamily.named($0).path))) })
  }

  /// Two batches of two and three terms in layers 0 and 1; the second edits layer 1 alone.
  private func batches(_ decoder: Decoder) throws -> [EditBatch] {
    var random = SeededGenerator(seed: 7)
    func matrix(_ rows: Int, _ columns: Int) -> Matrix<Float> {
      Matrix(rows: rows, columns: columns, elements: random.gaussians(rows * columns).map { Float(0.1 * $0) })
    }
    let (output, input) = (decoder.architecture.hiddenSize, decoder.architecture.intermediateSize)
    func batch(_ count: Int, _ layers: [Int]) throws -> EditBatch {
      EditBatch(tensors: try layers.map { try factors(decoder, $0, matrix(output, count), matrix(count, input)) })
    }
    return [try batch(2, [0, 1]), try batch(3, [1])]
  }

  private func factors(
    _ decoder: Decoder, _ layer: Int, _ left: Matrix<Float>, _ right: Matrix<Float>
  ) throws -> LowRankFactors {
    let architecture = decoder.architecture
    let name = decoder.editedTensor(layer)
    let shape = try decoder.checkpoint.tensor(named: name).shape
    return LowRankFactors(
      name: name, isTransposed: shape == [architecture.intermediateSize, architecture.hiddenSize],
      left: StoredFactor(left, dtype: .f16, facts: .columns), right: StoredFactor(right, dtype: .f32, facts: .rows))
  }

  /// Keys and residual streams of each layer, by layer.
  private func observe(_ decoder: Decoder) throws -> (keys: [Matrix<Float>], outputs: [Matrix<Float>]) {
    let positions = Self.tokens.indices.map(Int32.init)
    var hidden = try decoder.embed(tokens: Self.tokens, positions: positions)
    var keys: [Matrix<Float>] = []
    var outputs: [Matrix<Float>] = []
    try decoder.forward(
      &hidden, plan: AttentionPlan(TokenTree([Self.tokens])), tokens: Self.tokens, positions: positions,
      layers: 0..<decoder.architecture.layerCount
    ) { observation in
      switch observation {
      case .keys(_, let matrix): keys.append(matrix)
      case .output(_, let matrix): outputs.append(matrix)
      }
    }
    return (keys, outputs)
  }

  private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  @Test(arguments: families) func strengthsAreThoseOfPlainArithmetic(family: String) throws {
    let decoder = try #require(decoders[family])
    let batches = try batches(decoder)
    let (keys, outputs) = try observe(decoder)
    let result = try EditTrace(decoder, batches: batches).run(Self.tokens)
    #expect(result.firings.map { [$0.layer, $0.batch] } == [[0, 0], [1, 0], [1, 1]])
    for firing in result.firings {
      let factors = try #require(
        batches[firing.batch].tensors.first { $0.name == decoder.editedTensor(firing.layer) })
      let (left, right) = (try #require(factors.leftValues()), try #require(factors.rightValues()))
      #expect(firing.terms.rows == factors.rank && firing.terms.columns == Self.tokens.count)
      let reference =
        family == "gemma2"
        ? try decoder.perceptronOutput(ofKeys: keys[firing.layer], layer: firing.layer) : outputs[firing.layer]
      for token in Self.tokens.indices {
        let key = keys[firing.layer].row(token).map(Double.init)
        let stream = norm(reference.row(token).map(Double.init)) / Double(decoder.architecture.branchScale)
        var sum = [Double](repeating: 0, count: left.rows)
        for term in 0..<factors.rank {
          let activation = zip(right.row(term), key).reduce(0) { $0 + Double($1.0) * $1.1 }
          let change = (0..<left.rows).map { Double(left[$0, term]) * activation }
          for row in sum.indices { sum[row] += change[row] }
          let expected = norm(change) / stream
          #expect(abs(firing.terms[term, token] - expected) < 1e-5 + 1e-4 * expected)
        }
        let expected = norm(sum) / stream
        #expect(expected > 1e-4 && abs(firing.total[token] - expected) < 1e-5 + 1e-4 * expected)
      }
    }
  }

  /// The keys of the first edited layer do not depend on its edit: what the stream gains there is D k.
  @Test(arguments: ["gpt2", "gptj", "llama_untied", "granite"]) func theTotalIsWhatTheStreamGains(family: String) throws
  {
    let decoder = try #require(decoders[family])
    let batches = try batches(decoder)
    let before = try observe(decoder).outputs[0]
    let factors = try #require(batches[0].tensors.first { $0.name == decoder.editedTensor(0) })
    let tensor = try decoder.checkpoint.tensor(named: factors.name)
    var bytes = [UInt8](repeating: 0, count: tensor.bytes.count)
    try bytes.withUnsafeMutableBytes {
      try applyExactly(
        [factors], name: factors.name, to: tensor.bytes, dtype: tensor.dtype, shape: tensor.shape, into: $0)
    }
    try decoder.replace(factors.name, with: bytes)
    let after = try observe(decoder).outputs[0]
    let firing = try EditTrace(decoder, batches: batches).run(Self.tokens).firings[0]
    for token in Self.tokens.indices {
      let stream = after.row(token).map(Double.init)
      let gain = norm(zip(stream, before.row(token)).map { $0 - Double($1) }) / norm(stream)
      // The weights are rounded to their stored type.
      #expect(gain > 1e-3 && abs(firing.total[token] / gain - 1) < 0.03, "\(firing.total[token]) and \(gain)")
    }
  }

  @Test func termsMayCancel() throws {
    let decoder = try #require(decoders["llama_untied"])
    let (output, input) = (decoder.architecture.hiddenSize, decoder.architecture.intermediateSize)
    // The second column of A is the first with the other sign; the rows of B are equal.
    let factors = try factors(
      decoder, 1, Matrix(rows: output, columns: 2, elements: (0..<2 * output).map { $0 % 2 == 0 ? 0.5 : -0.5 }),
      Matrix(rows: 2, columns: input, elements: (0..<2 * input).map { Float($0 % input) / 64 }))
    let firing = try EditTrace(decoder, batches: [EditBatch(tensors: [factors])]).run(Self.tokens).firings[0]
    for token in Self.tokens.indices {
      let (first, second) = (firing.terms[0, token], firing.terms[1, token])
      #expect(first > 1e-3 && abs(second / first - 1) < 1e-5 && firing.total[token] < 1e-5 * first)
    }
  }

  @Test func tellsWhatItCannotTrace() throws {
    let decoder = try #require(decoders["llama_untied"])
    let known = try batches(decoder)[1].tensors[0]
    let elsewhere = LowRankFactors(name: "model.norm.weight", isTransposed: false, left: known.left, right: known.right)
    let trace = try EditTrace(decoder, batches: [EditBatch(tensors: [elsewhere]), EditBatch(tensors: [known])])
    #expect(trace.untraced == ["model.norm.weight"] && !trace.isEmpty)
    #expect(try trace.run(Self.tokens).firings.map(\.batch) == [1])
    #expect(try EditTrace(decoder, batches: [EditBatch(tensors: [elsewhere])]).isEmpty)
  }

  @Test func refusesAnotherShape() throws {
    let decoder = try #require(decoders["llama_untied"])
    let known = try batches(decoder)[1].tensors[0]
    let turned = LowRankFactors(name: known.name, isTransposed: true, left: known.left, right: known.right)
    let error = #expect(throws: ErrataError.self) {
      try EditTrace(decoder, batches: [EditBatch(tensors: [turned])])
    }
    #expect(error?.kind == .baseMismatch)
  }
}
