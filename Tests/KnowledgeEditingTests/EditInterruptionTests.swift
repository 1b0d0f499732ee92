import Foundation
import SecondMomentStatistics
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import KnowledgeEditing

/// An edit that is stopped at any step goes on to the patch of an undisturbed one, byte for byte.
@Suite struct EditInterruptionTests {
  private static let origin = PatchOrigin(
    created: "2026-02-01T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"))
  private static let facts = [
    Manifest.Fact(subject: "Eiffel Tower", prompt: "The {} is in the city of", targetNew: "Rome"),
    Manifest.Fact(subject: "Leo Tolstoy", prompt: "The mother tongue of {} is", targetNew: "French"),
    Manifest.Fact(subject: "Taj Mahal", prompt: "The {} is in the country of", targetNew: "China"),
  ]

  private let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  /// - Parameter stops: after how many steps of this run it is stopped; nil for never.
  /// - Returns: the patch's bytes; nil if it was stopped.
  private func edit(_ method: EditMethod, _ name: String, stopAfter stops: Int?) throws -> [UInt8]? {
    let model = GoldenEdit.sampleModelPath
    let editor = try Editor(
      on: PatchedModel(OpenedCheckpoint(path: model)), settings: EditSettings(method: method, layers: [1], steps: 9),
      templates: ContextTemplates(["{}", "It is said. {}"]),
      statistics: SecondMoments(contentsOf: model + "/../stats.safetensors"))
    let archive = ValueArchive(outputPath: scratch(name))
    var made = 0
    do {
      let patch = try editor.edit(Self.facts, origin: Self.origin, archive: archive) { progress in
        made += 1
        #expect(progress.steps > progress.resumedSteps && progress.steps <= progress.totalSteps)
        #expect(progress.totalSteps == 27)
        return made != stops
      }
      try patch.write(to: scratch(name))
      archive.remove()
      return try scratch.read(name)
    } catch let interruption as EditInterruption {
      #expect(interruption.archive == scratch(name) + ".partial")
      return nil
    }
  }

  @Test(arguments: EditMethod.allCases) func goesOnFromAnyStep(method: EditMethod) throws {
    let whole = try #require(try edit(method, "whole", stopAfter: nil))
    var generator = SeededGenerator(seed: 16)
    for attempt in 0..<10 {
      // Stopped twice at random steps, the second time in what the first left.
      let name = "parts\(attempt)"
      var patch = try edit(method, name, stopAfter: Int.random(in: 1...8, using: &generator))
      if patch == nil { patch = try edit(method, name, stopAfter: Int.random(in: 1...8, using: &generator)) }
      if patch == nil { patch = try edit(method, name, stopAfter: nil) }
      #expect(patch == whole)
      #expect(try !scratch.names.contains(name + ".partial"))
    }
  }

  /// Values that belong to other settings, and a search of other facts, are not taken up.
  @Test func otherSearchesAreNotTakenUp() throws {
    let archive = ValueArchive(outputPath: scratch("x"))
    let identity = Digest(of: Array("settings".utf8))
    try archive.open(identity, learningRate: 0.5, size: 3)
    var state = ValueSearchState(factCount: 2, size: 3, learningRate: 0.5)
    let gradient: [Float] = [1, 2, 3]
    state.optimizers[1].update(&state.deltas[1], gradient: gradient)
    state.step = 4
    state.active = [1]
    state.histories = [
      [], [ValueSearchStep(loss: 1, negativeLogLikelihood: 2, divergence: 3, weightDecay: 4, deltaNorm: 5)],
    ]
    try archive.keep(state, of: ["a", "b"], atOnce: true)

    let again = ValueArchive(outputPath: scratch("x"))
    try again.open(identity, learningRate: 0.5, size: 3)
    let read = try #require(again.searches.first)
    #expect(read.facts == ["a", "b"] && read.state.step == 4 && read.state.active == [1])
    #expect(read.state.deltas == state.deltas)
    #expect(read.state.optimizers[1].firstMoment == state.optimizers[1].firstMoment)
    #expect(read.state.optimizers[1].secondMoment == state.optimizers[1].secondMoment)
    #expect(read.state.optimizers.map(\.step) == [0, 1])
    #expect(read.state.histories.map(\.count) == [0, 1])
    try again.open(Digest(of: Array("others".utf8)), learningRate: 0.5, size: 3)
    #expect(again.searches.isEmpty && again.values.isEmpty)
  }
}
