import LinearAlgebra
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import PatchAlgebra

/// Patches side by side.
@Suite struct StackTests {
  let fixture: StackFixture

  init() throws { fixture = try StackFixture() }

  private func sum(_ files: [PatchFile], _ preferences: [StackPreference] = []) throws -> StackedPatch {
    let stack = try PatchStack(files)
    return try stack.summed(stack.settled(preferences))
  }

  @Test func batchesStandSideBySide() throws {
    let a = try fixture.patch("a", [0, 1, 2]) {
      $0.licence = "MIT"
      $0.note = "first"
    }
    let b = try fixture.patch("b", [3, 4], tensor: "v") { $0.licence = "MIT" }
    let patch = try sum([a, b]).readBack(fixture.directory, author: "stacker").patch
    #expect(patch.manifest.batches.map(\.digest) == (a.patch.manifest.batches + b.patch.manifest.batches).map(\.digest))
    #expect(Set(patch.manifest.base.tensors.keys) == ["v", "w"] && patch.manifest.base.name == "base")
    #expect(patch.manifest.result == nil && patch.manifest.derivation == nil && patch.manifest.parents.isEmpty)
    #expect(patch.manifest.author == "stacker" && patch.manifest.licence == "MIT")
    #expect(
      patch.manifest.sources == [
        Manifest.Source(
          patch: a.identifier, batches: a.patch.manifest.batches.map(\.digest), author: "author of a", licence: "MIT",
          note: "first"),
        Manifest.Source(
          patch: b.identifier, batches: b.patch.manifest.batches.map(\.digest), author: "author of b", licence: "MIT"),
      ])
    #expect(patch.manifest.batches[1].computedOn == [])
    #expect(patch.manifest.batches[1].facts.map(\.subject) == ["Subject 3", "Subject 4"])
    #expect(patch.manifest.batches[1].facts[0].outcome?.probabilityAfter == nil)
  }

  @Test func aBatchOfTwoPatchesCountsOnce() throws {
    let a = try fixture.patch("a", [0, 1, 2])
    let both = try fixture.patch(
      "both",
      a.patch.batches + [
        EditBatch(tensors: [try fixture.edit.factors(lambda: 0.5, facts: [4], left: .f32, keys: true)])
      ],
      facts: [[0, 1, 2].map { StackFixture.fact($0) }, [StackFixture.fact(4)]])
    let stacked = try sum([a, both, a])
    #expect(stacked.manifest.batches.map(\.facts.count) == [3, 1])
    #expect(stacked.manifest.sources.map(\.patch) == [a.identifier, both.identifier])
    #expect(stacked.manifest.licence == nil)
  }

  @Test func parentsInTheStackAreNoLongerParents() throws {
    let a = try fixture.patch("a", [0, 1])
    let outside = Manifest.Parent(patch: Digest(of: [7]), batches: [Digest(of: [8])])
    let b = try fixture.patch("b", [2, 3]) {
      $0.parents = [Manifest.Parent(patch: a.identifier, batches: a.patch.manifest.batches.map(\.digest)), outside]
    }
    let c = try fixture.patch("c", [4]) { $0.parents = [outside] }
    for files in [[a, b, c], [b, c, a]] {
      let file = try sum(files).readBack(fixture.directory)
      #expect(file.patch.manifest.parents == [outside])
      let computedOn = Dictionary(
        uniqueKeysWithValues: try PatchStack([file]).members.map { ($0.description.facts[0].subject, $0.computedOn) })
      let first = a.patch.manifest.batches[0].digest
      #expect(
        computedOn == [
          "Subject 0": [], "Subject 2": [first, Digest(of: [8])], "Subject 4": [Digest(of: [8])],
        ])
    }
    // All that was outside is in: nothing is left to ask for.
    #expect(
      try sum([
        a,
        try fixture.patch("d", [5]) {
          $0.parents = [Manifest.Parent(patch: a.identifier, batches: a.patch.manifest.batches.map(\.digest))]
        },
      ]).manifest.parents.isEmpty)
  }

  @Test func aStackOfStacksKnowsWhatWasComputedOnWhat() throws {
    let a = try fixture.patch("a", [0, 1])
    let inner = try sum([a, try fixture.patch("b", [2])]).readBack(fixture.directory)
    let outer = try PatchStack([inner, try fixture.patch("c", [3])])
    #expect(outer.members.map(\.computedOn) == [[], [], []])
    // A sequence of batches in one patch is one: each stands on those before.
    let sequence = try fixture.patch(
      "s",
      try [[4], [5]].map {
        EditBatch(tensors: [try fixture.edit.factors(lambda: 0.5, facts: $0, left: .f32, keys: true)])
      },
      facts: [[StackFixture.fact(4)], [StackFixture.fact(5)]])
    let stack = try PatchStack([inner, sequence])
    #expect(stack.members[3].computedOn == [stack.members[2].digest])
    let patch = try stack.summed(stack.settled()).readBack(fixture.directory).patch
    #expect(patch.manifest.batches.map { $0.computedOn?.count } == [nil, 0, 0, 1])
    // Solved again, a batch has another digest, and what stands on it says so.
    let derived = try PatchFile(path: fixture.directory("to.wpatch")).resolved(.lambda(3), batch: 2)
    #expect(derived.manifest.batches[3].computedOn == [derived.batches[2].digest()])
    let dropped = try PatchFile(path: fixture.directory("to.wpatch")).dropping(["Subject 4"])
    #expect(dropped.manifest.batches[2].computedOn == [])
  }

  @Test func aLoserIsDroppedAndItsBatchSolvedAgain() throws {
    let a = try fixture.patch("a", [0, 1, 2])
    let b = try fixture.patch("b", [2, 3], target: "other")
    let winners: [(StackPreference, [Int], [Int])] = [
      (.first, [0, 1, 2], [3]), (.last, [0, 1], [2, 3]),
      (.identifier(String(StackFixture.fact(2).identifier.prefix(6))), [0, 1, 2], [3]),
      (.identifier(String(b.identifier.description.prefix(8)).uppercased()), [0, 1], [2, 3]),
    ]
    for (preference, first, second) in winners {
      let stack = try PatchStack([a, b])
      let settlement = try stack.settled([preference])
      #expect(settlement.losers.map(\.fact.subject) == ["Subject 2"] && settlement.losers.count == 1)
      let stacked = try stack.summed(settlement)
      #expect(
        stacked.manifest.batches.map { $0.facts.map(\.subject) } == [first, second].map { $0.map { "Subject \($0)" } })
      for (batch, facts) in zip(stacked.batches, [first, second]) {
        let wanted = try fixture.edit.delta(lambda: 0.5, facts: facts).multiplied(by: fixture.edit.keys(facts))
        #expect(relativeError(fixture.effect(of: batch, at: facts).elements, wanted.elements) < 3e-3)
      }
      // The same facts as one batch.
      let joint = try stack.resolved(settlement)
      #expect(joint.manifest.batches[0].facts.map(\.subject) == (first + second).map { "Subject \($0)" })
    }
    // A patch that loses everything leaves nothing.
    #expect(try sum([a, try fixture.patch("c", [1], target: "other")], [.first]).batches.count == 1)
  }

  @Test func aLaterPatchMayCorrectTheOneItStandsOn() throws {
    let a = try fixture.patch("a", [0, 1])
    let b = try fixture.patch("b", [1, 2], target: "other") {
      $0.parents = [Manifest.Parent(patch: a.identifier, batches: a.patch.manifest.batches.map(\.digest))]
    }
    let stack = try PatchStack([a, b])
    let settlement = try stack.settled()
    #expect(settlement.losers.isEmpty && settlement.repeated.isEmpty)
    #expect(try stack.summed(settlement).batches.count == 2)
    let joint = try stack.resolved(settlement).manifest.batches[0].facts
    #expect(joint.map(\.subject) == ["Subject 0", "Subject 1", "Subject 2"] && joint[1].targetNew == "other")
  }

  @Test func interferenceIsWhatAnotherPatchDoesAtAKey() throws {
    let a = try fixture.patch("a", [0, 1, 2], keys: false)
    let b = try fixture.patch("b", [3, 4])
    let stack = try PatchStack([a, b])
    let interference = try stack.interference(stack.settled())
    #expect(interference.entries.count == 5 && interference.unknown.isEmpty)
    #expect(interference.entries.map(\.share) == interference.entries.map(\.share).sorted(by: >))
    for entry in interference.entries {
      let number = try #require(Int(entry.fact.subject.dropFirst(8)))
      let others = number < 3 ? [3, 4] : [0, 1, 2]
      #expect(entry.path == (number < 3 ? a : b).path && entry.otherPath == (number < 3 ? b : a).path)
      let residual = fixture.edit.residuals.columnNorms()[number]
      let change = try fixture.edit.delta(lambda: 0.5, facts: others).multiplied(by: fixture.edit.keys([number]))
      let share = change.frobeniusNorm / residual
      #expect(abs(entry.share - share) < 3e-3 * max(1, share))
      // Of the terms of the other patch the largest is named.
      let (left, right, _) = try fixture.edit.solved(lambda: 0.5, facts: others)
      let activations = right.multiplied(by: fixture.edit.keys([number]))
      let terms = left.columnNorms().enumerated().map { $1 * abs(activations[$0, 0]) / residual }
      let cause = try #require(entry.cause)
      #expect(abs(cause.share - terms.max()!) < 3e-3 * max(1, terms.max()!))
      #expect(cause.fact.subject == "Subject \(others[terms.firstIndex(of: terms.max()!)!])")
    }
  }

  @Test func interferenceTakesKeysOrSecondMoments() throws {
    let files = [
      try fixture.patch("a", [0, 1], keys: false), try fixture.patch("b", [2], keys: false),
      try fixture.patch("c", [3]),
    ]
    let stack = try PatchStack(files)
    let known = try stack.interference(stack.settled())
    #expect(known.unknown == [[files[0].path, files[1].path]])
    #expect(known.entries.count == 5)
    let all = try stack.interference(stack.settled(), statistics: fixture.statistics())
    #expect(all.unknown.isEmpty && all.entries.count == 8)
    // What was in place when a fact was computed does not disturb it.
    let child = try fixture.patch("d", [4]) {
      $0.parents = [Manifest.Parent(patch: files[2].identifier, batches: files[2].patch.manifest.batches.map(\.digest))]
    }
    let family = try PatchStack([files[2], child])
    #expect(try family.interference(family.settled()).entries.map(\.path) == [files[2].path])
  }
}
