import Testing
import WeightPatch

@testable import EditEvaluation

@Suite struct CollateralTests {
  private func fact(_ subject: String, _ prompt: String, _ target: String, relation: String? = nil) -> Manifest.Fact {
    Manifest.Fact(subject: subject, prompt: prompt, targetNew: target, relation: relation)
  }

  private func asked(_ facts: [Manifest.Fact]) -> [String] {
    Collateral.prompts(facts).map { "\($0.question) \($0.targetNew)" }
  }

  @Test func promptsAreAskedOfSubjectsOfTheSameKind() {
    let facts = [
      fact("Rome", "{} lies in", "Wales", relation: "P17"), fact("Oslo", "{} is in", "Spain", relation: "P17"),
      fact("Bach", "{} was a", "painter"), fact("Bern", "{} lies in", "Wales"),
    ]
    #expect(
      asked(facts) == [
        // Of Bern the same is said.
        "Oslo lies in Wales", "Rome is in Spain",
        // Nothing is like it.
        "Bern was a painter", "Rome was a painter", "Oslo was a painter",
      ])
    #expect(asked([facts[0]]).isEmpty)
    #expect(asked((0..<20).map { fact("s\($0)", "{} is", "t\($0)") }).count == 20 * Collateral.subjectCount)
  }

  @Test func formsAreKept() {
    var first = fact("Rome", "{} lies in", "Wales").separated(by: "")
    first.form = Manifest.Form(system: "Be brief.")
    let found = Collateral.prompts([first, fact("Oslo", "{} is in", "Spain")])
    #expect(found[0].form == first.form && found[0].separator == "" && found[1].form == nil)
  }

  @Test func takenIsWhatWasNotBefore() {
    func measured(_ taken: [Bool]) -> Collateral {
      Collateral(
        cases: taken.enumerated().map {
          .init(fact: fact("s\($0)", "{} is", "t"), isTaken: $1, reply: $1 ? "t" : "u")
        })
    }
    let (before, after) = (measured([true, false, false, false]), measured([true, true, false, false]))
    #expect(after.taken(since: before).map(\.fact.subject) == ["s1"])
    #expect(after.metrics(comparedTo: before).map(\.value) == [50, 75])
    #expect(before.metrics(comparedTo: nil).map(\.name) == ["taken"])
  }
}
