import Facts
import LinearAlgebra
import PatchAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import KnowledgeEditing
@testable import SecondMomentStatistics

/// Edits that leave subjects alone (Spec: the metric, held keys that are no batch's), on the sample model.
@Suite struct ProtectionTests {
  private static let model = GoldenEdit.sampleModelPath
  private static var templates: ContextTemplates { get throws { try ContextTemplates(["{}", "It is said. {}"]) } }
  private static let facts = [
    Manifest.Fact(subject: "Eiffel Tower", prompt: "The {} is in the city of", targetNew: "Rome"),
    Manifest.Fact(subject: "Leo Tolstoy", prompt: "The mother tongue of {} is", targetNew: "French"),
  ]
  private static let subjects = [
    Manifest.Fact(subject: "Taj Mahal", prompt: "The {} is in the country of", targetNew: ""),
    Manifest.Fact(subject: "Anton Chekhov", prompt: "{}", targetNew: ""),
  ]

  private static func patch(_ protection: Protection?, layers: [Int] = [1]) throws -> Patch {
    let editor = try Editor(
      on: PatchedModel(OpenedCheckpoint(path: model)),
      settings: EditSettings(method: .memit, layers: layers, steps: 5, lambda: 1), templates: Self.templates,
      statistics: SecondMoments(contentsOf: model + "/../stats.safetensors"), storesKeys: true, protection: protection)
    return try editor.edit(
      facts, origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0")))
  }

  /// H^T at a layer of the unedited model, as `--protect` measures it.
  private static func keys(of subjects: [Manifest.Fact], layer: Int) throws -> Matrix<Float> {
    let model = try LanguageModel(path: model)
    let tokenization = PromptTokenization(model.tokenizer)
    let prompts = try subjects.map { fact in
      try Self.templates.templates.map { try tokenization.prompt(fact, template: $0) }
    }
    let rows = try KeyMeasurement(model.decoder).keys(prompts, layer: layer).map {
      KeyForm.meanOfGroupMeans.combine($0).map(Float.init)
    }
    return Matrix(rows: rows.count, columns: rows[0].count, elements: rows.flatMap(\.self))
  }

  private static func effect(of patch: Patch, at keys: Matrix<Double>) -> Double {
    let factors = patch.batches[0].tensors[0]
    return factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
      .multiplied(by: keys, .transposed).frobeniusNorm
  }

  /// The heavier the subjects, the less the edit says at them; and the patch records them.
  @Test func subjectsAreLeftAlone() throws {
    let keys = try Self.keys(of: Self.subjects, layer: 1)
    let free = try Self.patch(nil)
    let before = Self.effect(of: free, at: keys.widened())
    var last = before
    for weight in [1.0, 1e3, 1e6] {
      let patch = try Self.patch(Protection(Self.subjects, weight: weight))
      let effect = Self.effect(of: patch, at: keys.widened())
      #expect(effect < last)
      last = effect
      let held = try #require(patch.manifest.batches[0].metric).held
      let digest = Protection.digest(["x": keys])
      #expect(held == [Manifest.Held(protected: digest, keyCount: 2, mu: .same(1 / weight))])
      #expect(patch.batches[0].tensors[0].heldProduct?.columns == 2)
    }
    #expect(last < 1e-3 * before)
    #expect(free.manifest.batches[0].metric == nil)
  }

  /// (C + w H H^T)^-1 as the solver has it, and as it is.
  @Test func theMetricIsThatOfHeavierText() throws {
    let statistics = try SecondMoments(contentsOf: Self.model + "/../stats.safetensors")
    let protected = try Self.keys(of: Self.subjects, layer: 1).widened()
    let keys = try Self.keys(of: Self.facts, layer: 1).widened()
    var residuals = Matrix<Double>(rows: 2, columns: 3)
    for index in 0..<6 { residuals[index / 3, index % 3] = Double(index) - 2 }
    let held = try EditSolver(secondMoment: statistics.triangle(layer: 1))
      .holding(keys: protected, slacks: [1 / 50.0, 1 / 50.0])
    var heavier = try statistics.triangle(layer: 1)
    for row in 0..<heavier.size {
      for column in 0...row {
        for key in 0..<2 { heavier[row, column] += 50 * protected[key, row] * protected[key, column] }
      }
    }
    let expected = try EditSolver(secondMoment: heavier).solve(keys: keys, residuals: residuals, lambda: 0.5)
    let found = try held.solve(keys: keys, residuals: residuals, lambda: 0.5)
    #expect(relativeError(found.gram.elements, expected.gram.elements) < 1e-8)
    let change = found.left.multiplied(by: found.right)
    #expect(relativeError(change.elements, expected.left.multiplied(by: expected.right).elements) < 1e-8)
  }

  /// What is edited is not held, and what comes twice counts once.
  @Test func whatIsEditedIsNotHeld() throws {
    let protection = Protection(Self.subjects + [Self.facts[0], Self.subjects[0]])
    #expect(protection.subjects.count == 3)
    #expect(protection.sparing(Self.facts).map(\.subject) == Self.subjects.map(\.subject))
    #expect(try Self.patch(protection).identifier == Self.patch(Protection(Self.subjects)).identifier)
  }

  /// The digest is over the keys of all edited weights, in order of their names.
  @Test func digestOfSeveralWeights() {
    let (one, two) = (Matrix<Float>(rows: 1, columns: 2), Matrix<Float>(rows: 1, columns: 1))
    let bytes = Array("a/keys F32 [1, 1]\n".utf8) + [0, 0, 0, 0] + Array("b/keys F32 [1, 2]\n".utf8)
    #expect(Protection.digest(["b": one, "a": two]) == Digest(of: bytes + [UInt8](repeating: 0, count: 8)))
    #expect(
      Protection.digest(["b": one]) == Digest(of: Array("keys F32 [1, 2]\n".utf8) + [UInt8](repeating: 0, count: 8)))
  }

  /// In several layers each has its keys, measured with the edits below in place.
  @Test func severalLayers() throws {
    let patch = try Self.patch(Protection(Self.subjects, weight: 1e4), layers: [0, 1])
    #expect(patch.batches[0].tensors.allSatisfy { $0.heldProduct?.columns == 2 })
    #expect(patch.manifest.batches[0].metric?.held.count == 1)
  }
}
