import Foundation
import KnowledgeEditing
import Tensors
import Testing
import Tokenization
import WeightPatch

@testable import EditEvaluation
@testable import Facts

@Suite struct FactPreflightTests {
  private func preflight(_ name: String) throws -> FactPreflight {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../TokenizationTests/Fixtures").standardizedFileURL.path
    return FactPreflight(try Tokenizer(contentsOf: "\(fixtures)/\(name).tokenizer.json"))
  }

  @Test(arguments: ["gpt2", "llama2", "mistral"])
  func notesSubjectsThatShareATokenWithWhatFollows(_ tokenizer: String) throws {
    let preflight = try preflight(tokenizer)
    let whole = Manifest.Fact(subject: "the", prompt: "Where is {} fox?", targetNew: "here")
    let torn = Manifest.Fact(subject: "th", prompt: "Where is {}e fox?", targetNew: "here")
    let checked = try preflight.check([whole, torn].map { FactRecord(fact: $0) }, in: "facts")
    #expect(checked.records.map(\.fact) == [whole, torn])
    #expect(
      checked.notes == [
        "fact \"Where is the fox? here\": the subject ends within the token \" the\" of the prompt, where the edit is "
          + "written"
      ])
  }

  private let unknown = FactRecord(fact: Manifest.Fact(subject: "fox", prompt: "The {} is", targetNew: "\u{9F98}"))

  @Test func refusesTargetsThatTheTokenizerDoesNotKnow() throws {
    #expect(try preflight("llama2").check([unknown], in: "facts").notes == [])
    #expect(
      throws: ErrataError(
        .general,
        "fact \"The fox is \u{9F98}\": the model's tokenizer has no tokens for the target \"\u{9F98}\"; choose another")
    ) { try preflight("metaspace").check([unknown], in: "facts") }
  }

  /// A patch of another tool can have such facts; to edit them as they stand would teach what is to be forgotten.
  @Test func refusesFactsThatAreToBeForgotten() throws {
    var fact = Manifest.Fact(subject: "fox", prompt: "The {} is", targetNew: "here")
    fact.kind = .forget
    let message =
      "fact \"The fox is here\": is to be forgotten, and an edit corrects facts only; give it a new target"
    #expect(throws: ErrataError(.general, message)) {
      try preflight("gpt2").check([FactRecord(fact: fact)], in: "facts")
    }
  }

  /// All of them are told, with their places, and skipped if that is asked for.
  @Test func listsAllOfThem() throws {
    let known = FactRecord(fact: Manifest.Fact(subject: "fox", prompt: "The {} is", targetNew: "here"))
    var records = [unknown, known, unknown]
    for index in records.indices { records[index].place = RecordPlace(file: "facts", record: index, line: index + 3) }
    let told = Told()
    let message =
      "fact \"The fox is \u{9F98}\": the model's tokenizer has no tokens for the target \"\u{9F98}\"; choose another"
    #expect(
      throws: ErrataError(
        .general,
        "facts: 2 of 3 records cannot be used, as listed; correct them, or leave them out")
    ) { try preflight("metaspace").check(records, in: "facts", invalid: told.invalid(areSkipped: false)) }
    #expect(told.lines == ["facts: record 0 (line 3): \(message)", "facts: record 2 (line 5): \(message)"])
    let checked = try preflight("metaspace").check(records, in: "facts", invalid: told.invalid(areSkipped: true))
    #expect(checked.records == [records[1]])
    #expect(told.lines.last == "facts: record 2 (line 5): \(message); left out")
  }
}

/// Keeps what is told of records.
final class Told {
  private(set) var lines: [String] = []

  func invalid(areSkipped: Bool) -> InvalidRecords {
    InvalidRecords(areSkipped: areSkipped) { self.lines.append($0) }
  }
}
