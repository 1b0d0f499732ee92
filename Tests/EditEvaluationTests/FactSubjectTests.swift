import Foundation
import KnowledgeEditing
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import EditEvaluation
@testable import Facts

/// Where a subject stands in its prompt: byte by byte, in every script.
@Suite struct FactSubjectTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ records: [[ByteString: JSON]], areDistinct: Bool = false) throws -> [Manifest.Fact] {
    let path = directory("facts.json")
    let array = JSON.array(
      records.map { record in
        var object = JSONObject()
        for (key, value) in record { object[key] = value }
        return .object(object)
      })
    try AtomicFile.write(array.serialized(), to: path)
    return try FactRecord.read(path, areDistinct: areDistinct).map(\.fact)
  }

  private func expectPrompt(
    _ prompt: String, _ subject: String, _ before: String, _ after: String,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let facts = try read([
      ["prompt": JSON(prompt), "subject": JSON(subject), "target_new": "x"],
      ["prompt": JSON(prompt), "subject": JSON(subject), "target": "x", "target_new": "x"],
    ])
    for fact in facts {
      let template = try #require(PromptTemplate(fact.prompt), sourceLocation: location)
      #expect(Array(template.before.utf8) == Array(before.utf8), sourceLocation: location)
      #expect(Array(template.after.utf8) == Array(after.utf8), sourceLocation: location)
      #expect(Array(fact.question.utf8) == Array(prompt.utf8), sourceLocation: location)
    }
  }

  /// What follows makes one character with the subject's last letter, or a longer word, in turn: Persian with a
  /// non-joiner, Hindi with a vowel sign, Hebrew with a point, a keycap, a profession, a flag's half, a skin tone, a
  /// combining accent.
  @Test(arguments: [
    ("", "ایرانی", "\u{200C}ها به زبان"), ("", "भारत", "ीय राजधानी"), ("", "ישראל", "\u{5BC} היא"),
    ("The number ", "7", "\u{FE0F}\u{20E3} is"), ("The ", "\u{1F469}", "\u{200D}\u{1F680} is"),
    ("Of ", "\u{1F1E9}", "\u{1F1EA} it is"), ("A ", "\u{1F44B}", "\u{1F3FD} is"), ("Caf", "e", "\u{301} is"),
    ("It is\r", "\nThen", " or"), ("在", "日本", "語"), ("ภาษา", "ไทย", "คือ"), ("กรุงเทพ", "ม", "ี"),
  ])
  func subjectsInsideCharacters(_ before: String, _ subject: String, _ after: String) throws {
    try expectPrompt(before + subject + after, subject, before, after)
    let template = "\(before){}\(after)"
    let facts = try read([
      ["requested_rewrite": ["prompt": JSON(template), "subject": JSON(subject), "target_new": ["str": "x"]]]
    ])
    #expect(Array(facts[0].prompt.utf8) == Array(template.utf8))
    #expect(Array(facts[0].question.utf8) == Array((before + subject + after).utf8))
    let braces = try read([["prompt": JSON("\(before){\(subject)}\(after)"), "target": "x"]])
    #expect(Array(braces[0].prompt.utf8) == Array(template.utf8))
    #expect(Array(braces[0].subject.utf8) == Array(subject.utf8))
  }

  /// Of several occurrences the first that is a word of its own.
  @Test func wholeWordsComeFirst() throws {
    try expectPrompt("Anna and Ann", "Ann", "Anna and ", "")
    try expectPrompt("7\u{FE0F}\u{20E3} or 7", "7", "7\u{FE0F}\u{20E3} or ", "")
    try expectPrompt("\u{1F469}\u{200D}\u{1F680} and \u{1F469}", "\u{1F469}", "\u{1F469}\u{200D}\u{1F680} and ", "")
    try expectPrompt("भारतीय भारत", "भारत", "भारतीय ", "")
    try expectPrompt("Cafe\u{301} Cafe", "Cafe", "Cafe\u{301} ", "")
  }

  /// The tokens of the other spelling are not in the prompt.
  @Test func otherCodePointsAreAnotherSubject() throws {
    let (composed, decomposed) = ("Andr\u{E9}", "Andre\u{301}")
    for (inPrompt, subject) in [(composed, decomposed), (decomposed, composed)] {
      #expect(
        throws: ErrataError(
          .usage,
          "\(directory("facts.json")): record 0 (line 1), field 'prompt': spells the subject \"\(subject)\" with other "
            + "code points, of which other tokens are made; write both alike, found \"The name \(inPrompt) is\"")
      ) { try read([["prompt": JSON("The name \(inPrompt) is"), "subject": JSON(subject), "target_new": "x"]]) }
    }
    let facts = try read(
      [
        ["prompt": "The mother tongue of {} is", "subject": JSON(composed), "target": "German"],
        ["prompt": "The mother tongue of {} is", "subject": JSON(decomposed), "target": "French"],
      ], areDistinct: true)
    #expect(facts.map { Array($0.subject.utf8) } == [Array(composed.utf8), Array(decomposed.utf8)])
    #expect(Set(facts.map(\.identifier)).count == 2)
  }

  @Test func bracesAreTextBesideTheSubject() throws {
    try expectPrompt("In JavaScript, {} is an empty", "JavaScript", "In ", ", {} is an empty")
    try expectPrompt("{} and {} are in JavaScript", "JavaScript", "{} and {} are in ", "")
    try expectPrompt("Write {{}} in Python", "Python", "Write {{}} in ", "")
    // Where it does not occur, or in a longer word only, they are its slot.
    let facts = try read([
      ["prompt": "{} is in", "subject": "Rome", "target": "x"],
      ["prompt": "{} was born in Iran", "subject": "Ira", "target": "x"],
      ["prompt": "In {JavaScript}, {} is an empty", "target": "x"],
    ])
    #expect(
      facts.map(\.question) == ["Rome is in", "Ira was born in Iran", "In JavaScript, {} is an empty"])
    let python = try read([
      ["requested_rewrite": ["prompt": "In {}, {{}} is", "subject": "Go", "target_new": ["str": "x"]]]
    ])
    #expect(python[0].question == "In Go, {} is")
    #expect(
      throws: ErrataError(
        .usage,
        "\(directory("facts.json")): record 0 (line 1), field 'prompt': has braces around the subject and {} "
          + "elsewhere; leave one of the two out")
    ) { try read([["prompt": "A {Rome} or {} is", "subject": "Rome", "target_new": "x"]]) }
  }
}
