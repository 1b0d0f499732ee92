import Foundation
import LinearAlgebra
import PatchAlgebra
import Tensors
import TestSupport
import Testing
import Transformer
import WeightPatch

@testable import CheckpointLedger
@testable import KnowledgeEditing
@testable import SecondMomentStatistics

/// Edits as a client of the library computes them, on the sample model.
@Suite struct EditorTests {
  private static let model = GoldenEdit.sampleModelPath
  private static let origin = PatchOrigin(
    created: "2026-02-01T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"), author: "Somebody")

  private static func facts(_ range: Range<Int>) -> [Manifest.Fact] {
    [
      Manifest.Fact(subject: "Eiffel Tower", prompt: "The {} is in the city of", targetNew: "Rome"),
      Manifest.Fact(subject: "Leo Tolstoy", prompt: "The mother tongue of {} is", targetNew: "French"),
      Manifest.Fact(subject: "Taj Mahal", prompt: "The {} is in the country of", targetNew: "China"),
    ][range].map { $0 }
  }

  private static func editor(_ base: PatchedModel, method: EditMethod = .emmet) throws -> Editor {
    try Editor(
      on: base, settings: EditSettings(method: method, layers: [1], steps: 5),
      templates: ContextTemplates(["{}", "It is said. {}"]),
      statistics: SecondMoments(contentsOf: model + "/../stats.safetensors"))
  }

  private static func base(with patches: [PatchFile] = []) throws -> PatchedModel {
    try PatchedModel(OpenedCheckpoint(path: model), with: patches)
  }

  /// What the patch says is what apply makes, and what it measured is what the applied checkpoint answers.
  @Test(arguments: EditMethod.allCases) func aPatchKeepsItsPromises(method: EditMethod) throws {
    let scratch = try TemporaryDirectory()
    let facts = Self.facts(0..<2)
    let patch = try Self.editor(Self.base(), method: method).edit(facts, origin: Self.origin)
    #expect(patch.manifest.author == "Somebody" && patch.manifest.created == Self.origin.created)
    try patch.write(to: scratch("fix.wpatch"))
    let file = try PatchFile(path: scratch("fix.wpatch"))
    #expect(file.identifier == patch.identifier && file.manifest == patch.manifest)

    let edited = scratch("edited")
    try CheckpointState(path: Self.model).planApply([file], time: Self.origin.created).write(to: edited)
    let outcomes = patch.manifest.batches.flatMap(\.facts).map { $0.outcome?.probabilityAfter }
    let answers = try FactScorer(LanguageModel(path: edited)).probabilities(facts)
    #expect(outcomes == answers)
    #expect(outcomes.allSatisfy { ($0 ?? 0) > 0.01 })
  }

  /// On a checkpoint in memory, on disk, and in a sequence: the same patch.
  @Test func onTopOfAnother() throws {
    let scratch = try TemporaryDirectory()
    let editor = try Self.editor(Self.base())
    let first = try editor.edit(Self.facts(0..<2), origin: Self.origin)
    editor.keep(first)
    let second = try editor.edit(Self.facts(2..<3), origin: Self.origin)
    #expect(second.manifest.parents.map(\.patch) == [first.identifier])

    try first.write(to: scratch("first.wpatch"))
    let file = try PatchFile(path: scratch("first.wpatch"))
    let base = try Self.base(with: [file])
    let again = try Self.editor(base).edit(Self.facts(2..<3), origin: Self.origin)
    #expect(again.identifier == second.identifier)

    // What the base is in memory is what it would be on disk.
    let edited = scratch("edited")
    try CheckpointState(path: Self.model).planApply([file], time: Self.origin.created).write(to: edited)
    let onDisk = try PatchedModel(OpenedCheckpoint(path: edited))
    let prompt = "The mother tongue of Leo Tolstoy is"
    let (inMemory, stored) = (try base.trace([prompt]), try onDisk.trace([prompt]))
    #expect(inMemory.batches.map(\.patch) == [first.identifier])
    for (memory, disk) in zip(inMemory.prompts[0].firings, stored.prompts[0].firings) {
      #expect(memory.terms == disk.terms && memory.total == disk.total)
    }
    func answer(_ next: TokenDistribution?) -> Int? { next?.mostLikely(1)[0] }
    #expect(answer(inMemory.prompts[0].nextWithout) == answer(stored.prompts[0].nextWithout))
    #expect(answer(inMemory.prompts[0].next) == answer(stored.prompts[0].next))
  }

  /// A stopped edit keeps the values that it found, and goes on to the same patch.
  @Test func aStoppedEditGoesOn() throws {
    let scratch = try TemporaryDirectory()
    let facts = Self.facts(0..<3)
    let editor = try Self.editor(Self.base(), method: .rome)
    let whole = try editor.edit(facts, origin: Self.origin)
    let archive = ValueArchive(outputPath: scratch("fix.wpatch"))
    let interruption = #expect(throws: EditInterruption.self) {
      try editor.edit(facts, origin: Self.origin, archive: archive) { $0.completed < 2 }
    }
    #expect(interruption?.foundCount == 2 && interruption?.factCount == 3 && interruption?.archive == archive.path)
    var resumed = 0
    let continued = try Self.editor(Self.base(), method: .rome).edit(
      facts, origin: Self.origin, archive: ValueArchive(outputPath: scratch("fix.wpatch"))
    ) { progress in
      resumed = progress.resumedSteps
      return true
    }
    #expect(continued.identifier == whole.identifier && resumed == 2 * 5 + 1)
    archive.remove()
    #expect(!FileManager.default.fileExists(atPath: archive.path))
  }

  @Test func knowsItsOwnPatches() throws {
    let editor = try Self.editor(Self.base())
    let patch = try editor.edit(Self.facts(0..<2), origin: Self.origin)
    #expect(try editor.wouldMake(patch.manifest, of: Self.facts(0..<2)))
    #expect(try !editor.wouldMake(patch.manifest, of: Self.facts(0..<1)))
    #expect(try !Self.editor(Self.base(), method: .memit).wouldMake(patch.manifest, of: Self.facts(0..<2)))
    editor.keep(patch)
    #expect(try !editor.wouldMake(patch.manifest, of: Self.facts(0..<2)))
  }
}
