import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing
import Transformer

@testable import Facts
@testable import KnowledgeEditing

/// The value search on the tiny random model of each family.
@Suite struct FamilySearchTests {
  static let layer = 1

  /// Two facts; some of their prompts share a beginning.
  private static let problems = [
    ValueProblem(
      label: "first",
      prompts: [
        TokenizedPrompt(tokens: [11, 12, 13, 14], lookup: 2),
        TokenizedPrompt(tokens: [7, 8, 11, 12, 13, 14], lookup: 4),
        TokenizedPrompt(tokens: [7, 9, 11, 12, 13, 14], lookup: 4),
      ], target: [101, 102], essence: TokenizedPrompt(tokens: [11, 12, 13, 20, 21], lookup: 2)),
    ValueProblem(
      label: "second", prompts: [TokenizedPrompt(tokens: [31, 32, 33], lookup: 0)], target: [111],
      essence: TokenizedPrompt(tokens: [31, 20, 21], lookup: 0)),
  ]

  private func decoder(_ family: GoldenFamily) throws -> Decoder { try Decoder(Checkpoint(path: family.path)) }

  /// The gradient with respect to a delta, wherever the family lets it enter, against differences of the loss.
  @Test(arguments: GoldenFamily.all) func gradients(family: GoldenFamily) throws {
    var random = SeededGenerator(seed: 41)
    let decoder = try decoder(family)
    let site = ValueSite(.emmet, decoder.architecture)
    let batch = try ValueSearchBatch(
      decoder, problems: Self.problems, layer: Self.layer, site: site, memoryBudget: 1 << 30)
    let size = decoder.architecture.hiddenSize
    let zero = [Float](repeating: 0, count: size)
    _ = try batch.evaluate([0, 1], deltas: [zero, zero], klFactor: 0.5)
    let deltas = (0..<2).map { _ in random.gaussians(size).map { Float(0.3 * $0) } }
    let found = try batch.evaluate([0, 1], deltas: deltas, klFactor: 0.5)
    func loss(_ fact: Int, _ direction: [Double], _ step: Double) throws -> Double {
      var moved = deltas
      moved[fact] = zip(deltas[fact], direction).map { $0 + Float(step * $1) }
      let evaluation = try batch.evaluate([0, 1], deltas: moved, klFactor: 0.5)[fact]
      return evaluation.negativeLogLikelihood + evaluation.divergence
    }
    for fact in 0..<2 {
      let gradient = found[fact].gradient.map(Double.init)
      let length = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(length > 1e-5)
      // Along the gradient itself, and along random directions.
      for trial in 0..<4 {
        let raw = trial == 0 ? gradient : random.gaussians(size)
        let norm = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let direction = raw.map { $0 / norm }
        let step = 3e-3
        let numerical = (try loss(fact, direction, step) - loss(fact, direction, -step)) / (2 * step)
        let exact = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
        // Losses of order one are float32, and some models bend sharply; Tests/Golden has the gradients to 1e-4.
        #expect(abs(exact - numerical) < 0.03 * length + 5e-5, "\(family): \(exact) and \(numerical)")
      }
    }
  }

  /// Of a random model no more can be expected.
  @Test(arguments: GoldenFamily.all) func lossesFall(family: GoldenFamily) throws {
    let decoder = try decoder(family)
    let settings = EditSettings(method: .emmet, layers: [Self.layer], steps: 15, weightDecay: 0)
    let search = ValueSearch(
      decoder, layer: Self.layer, site: ValueSite(.emmet, decoder.architecture), settings: settings)
    for value in try #require(try search.search(Self.problems)) {
      let (first, last) = (value.steps.first!.loss, value.steps.last!.loss)
      // A window can keep the last token from seeing the lookup position: nothing then depends on the value.
      let reaches = value.delta.contains { $0 != 0 }
      #expect(reaches ? last < first : last == first, "\(first) to \(last)")
    }
  }

  /// A value is what the measurement of outputs gives, plus the delta: what is missing at first is the delta.
  @Test(arguments: GoldenFamily.all, [EditMethod.emmet, .rome]) func valuesAndOutputsAreOfOneKind(
    family: GoldenFamily, method: EditMethod
  ) throws {
    let decoder = try decoder(family)
    let site = ValueSite(method, decoder.architecture)
    let batch = try ValueSearchBatch(
      decoder, problems: Self.problems, layer: Self.layer, site: site, memoryBudget: 1 << 30)
    let outputs = try KeyMeasurement(decoder).outputs(
      Self.problems.map { $0.prompts[0] }, layer: Self.layer, site: site)
    for fact in 0..<2 {
      #expect(relativeError(batch.initial[fact], outputs.row(fact).map(Double.init)) < 1e-5)
    }
    #expect(batch.initial.allSatisfy { $0.count == decoder.architecture.hiddenSize })
  }
}
