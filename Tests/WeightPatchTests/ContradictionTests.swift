import Testing

@testable import WeightPatch

@Suite struct ContradictionTests {
  private func fact(
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
