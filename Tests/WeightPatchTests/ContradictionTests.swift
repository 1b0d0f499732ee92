import Testing

@testable import CheckpointLedger
@testable import WeightPatch

@Suite struct ContradictionTests {
  func fact(
    _ subject: String, _ prompt: String, _ target: String, relation: String? = nil
  ) -> Manifest.Fact {
    Manifest.Fact(subject: subject, prompt: prompt, targetNew: target, relation: relation)
  }

  @Test func sameQuestionOtherAnswer() {
    let facts = [
      fact("Pluto", "{} is a", "dwarf planet"), fact("Ceres", "{} is a", "dwarf planet"),
      fact("Pluto", "{} is a", "planet"),
      fact("Pluto", "{} was found by", "Tombaugh"),
    ]
    #expect(Contradiction.all(among: facts) == [Contradiction(first: 0, second: 2)])
    #expect(Contradiction.all(among: []).isEmpty)
  }

  @Test func sameRelationOfTheSubject() {
    let facts = [
      fact("Kazakhstan", "The capital of {} is", "Astana", relation: "P36"),
      fact("Kazakhstan", "{} has its capital in", "Almaty", relation: "P36"),
      fact("Kazakhstan", "{} borders", "Russia", relation: "P47"), fact("Kazakhstan", "In {} lies", "Baikonur"),
    ]
    #expect(Contradiction.all(among: facts) == [Contradiction(first: 0, second: 1)])
  }

  @Test func howItIsWrittenMakesNoDifference() {
    let facts = [
      fact("Caf\u{E9}  Central", "the {} is in ", "Vienna"), fact("cafe\u{301} central", "The {} is in", "Graz"),
      fact("the Caf\u{E9} Central", "{} is in", " vienna "),
    ]
    #expect(
      Contradiction.all(among: facts) == [
        Contradiction(first: 0, second: 1), Contradiction(first: 1, second: 2),
      ])
  }
}

extension ContradictionTests {
  /// One question asked by thousands of facts that agree is no work: compared in pairs, these would take hours.
  @Test(.timeLimit(.minutes(1))) func manyFactsThatAgree() {
    let facts = (0..<100_000).map { _ in fact("Pluto", "{} is a", "dwarf planet") }
    #expect(Contradiction.all(among: facts).isEmpty)
  }
}

extension ContradictionTests {
  /// Thousands of batches with a fact each, as ROME makes them, in two patches: whether one stands on the other is
  /// found once, not once a fact.
  @Test func manyBatchesThatRepeatFacts() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let count = 3000
    let files = try ["p", "q"].enumerated().map { number, name in
      let batches = (0..<count).map {
        fixture.batch(["model.a.weight"], facts: 1, scale: 1e-5, seed: UInt64(number * count + $0))
      }
      return try fixture.patch(name + ".wpatch", batches) { manifest in
        for index in manifest.batches.indices {
          manifest.batches[index].facts = [fact("S\(index)", "{} is", "same")]
        }
      }
    }
    let plan = try CheckpointState(path: fixture.path).planApply(files, time: "2026-02-01T00:00:00Z")
    let relations = PatchRelations(plan.patches)
    let repetition = plan.repetition(relations)
    #expect(repetition?.contains("(S0) and 2999 more facts come with more than one patch") == true)
    #expect(relations.comparisonCount == 1)
  }
}
