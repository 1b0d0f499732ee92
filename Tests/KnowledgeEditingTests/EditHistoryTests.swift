import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import KnowledgeEditing
@testable import SecondMomentStatistics

/// Edits on top of others hold the keys of those (Spec: the metric), on the sample model.
@Suite struct EditHistoryTests {
  private static let model = GoldenEdit.sampleModelPath
  private static let tower = Manifest.Fact(
    subject: "Eiffel Tower", prompt: "The {} is in the city of", targetNew: "Rome")
  private static let tolstoy = Manifest.Fact(
    subject: "Leo Tolstoy", prompt: "The mother tongue of {} is", targetNew: "French")
  private static let mahal = Manifest.Fact(
    subject: "Taj Mahal", prompt: "The {} is in the country of", targetNew: "China")

  private static func editor(holds: Bool = true, keys: Bool = false, lambda: Double = 1) throws -> Editor {
    try Editor(
      on: PatchedModel(OpenedCheckpoint(path: model)),
      settings: EditSettings(method: .memit, layers: [1], steps: 5, lambda: lambda, holdsEarlierFacts: holds),
      templates: ContextTemplates(["{}", "It is said. {}"]),
      statistics: SecondMoments(contentsOf: model + "/../stats.safetensors"), storesKeys: keys)
  }

  private static func sequence(_ editor: Editor, _ batches: [[Manifest.Fact]]) throws -> [Patch] {
    try batches.map { facts in
      let patch = try editor.edit(
        facts,
        origin: PatchOrigin(created: "2026-02-01T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0")))
      editor.keep(patch)
      return patch
    }
  }

  private static func effect(of patch: Patch, at keys: Matrix<Double>) -> Double {
    let factors = patch.batches[0].tensors[0]
    return factors.leftValues()!.widened().multiplied(by: factors.rightValues()!.widened())
      .multiplied(by: keys, .transposed).frobeniusNorm
  }

  /// A later batch moves an earlier fact's output little, whether its keys are stored or come from the second moments;
  /// and each says what it holds.
  @Test func earlierFactsStay() throws {
    let batches = [[Self.tower, Self.tolstoy], [Self.mahal]]
    let free = try Self.sequence(Self.editor(holds: false, keys: true, lambda: 0.01), batches)
    let keys = try #require(free[0].batches[0].tensors[0].keyValues()).widened()
    let stored = try Self.sequence(Self.editor(keys: true, lambda: 0.01), batches)
    let recovered = try Self.sequence(Self.editor(lambda: 0.01), batches)
    // Nothing to hold: the same batch as ever, and no word of a metric.
    #expect(stored[0].identifier == free[0].identifier && free[1].manifest.batches[0].metric == nil)
    for patches in [stored, recovered] {
      let held = try #require(patches[1].manifest.batches[0].metric).held
      #expect(held == [Manifest.Held(batch: patches[0].manifest.batches[0].digest, keyCount: 2, mu: .same(0.01))])
      #expect(Self.effect(of: patches[1], at: keys) < 0.1 * Self.effect(of: free[1], at: keys))
    }
  }

  /// A batch that holds others has its own keys recovered through theirs.
  @Test func keysComeBackThroughHistory() throws {
    let batches = [[Self.tower], [Self.tolstoy], [Self.mahal]]
    let stored = try Self.sequence(Self.editor(keys: true), batches)
    let statistics = try SecondMoments(contentsOf: Self.model + "/../stats.safetensors")
    // The same patches without their keys.
    let carried = stored.map { patch in
      let factors = patch.batches[0].tensors[0]
      let bare = LowRankFactors(
        name: factors.name, isTransposed: factors.isTransposed, left: factors.left, right: factors.right,
        gram: factors.gram, heldProduct: factors.heldProduct)
      return PatchedModel.CarriedPatch(manifest: patch.manifest, batches: { [EditBatch(tensors: [bare])] })
    }
    let name = stored[0].batches[0].tensors[0].name
    let history = EditHistory(of: carried, editing: [name], statistics: statistics, facts: [])
    #expect(history.unknownCount == 0)
    let found = try history.keys(ofTensor: name, layer: 1, keyLength: stored[0].batches[0].tensors[0].inputSize)
    #expect(found.slacks == [1, 1, 1])
    let expected = stored.flatMap { $0.batches[0].tensors[0].keyValues()!.widened().elements }
    #expect(relativeError(found.keys.elements, expected) < 2e-3)
    // Of other second moments they are not known, and what is held by nobody is counted.
    let others = carried.map { patch in
      var manifest = patch.manifest
      manifest.batches[0].statistics?.digest = Digest(of: [1])
      return PatchedModel.CarriedPatch(manifest: manifest, batches: patch.batches)
    }
    let unknown = EditHistory(of: others, editing: [name], statistics: statistics, facts: [])
    #expect(unknown.unknownCount == 3 && unknown.metric == nil)
  }

  /// Who corrects a fact is not held back by what it said before.
  @Test func aCorrectionIsFree() throws {
    var again = Self.tower
    again.targetNew = "Berlin"
    let patches = try Self.sequence(Self.editor(), [[Self.tower, Self.tolstoy], [again], [Self.mahal]])
    let slacks = try patches[1...].map { try #require($0.manifest.batches[0].metric).held.map(\.mu) }
    #expect(slacks[0] == [.perTerm([Manifest.Held.freeSlack, 1])])
    #expect(slacks[1] == [.perTerm([Manifest.Held.freeSlack, 1]), .same(1)])
    let alone = try Self.sequence(Self.editor(), [[Self.tower], [again]])
    #expect(alone[1].manifest.batches[0].metric == nil)
  }
}
