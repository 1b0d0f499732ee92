import Foundation
import Tensors
import Testing
import Tokenizers
import WeightPatch

@testable import EditEvaluation

@Suite struct FactPreflightTests {
  private func preflight(_ name: String) throws -> FactPreflight {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../TokenizersTests/Fixtures").standardizedFileURL.path
    return FactPreflight(try Tokenizer(contentsOf: "\(fixtures)/\(name).tokenizer.json"))
  }

  @Test(arguments: ["gpt2", "llama2", "mistral"])
  func notesSubjectsThatShareATokenWithWhatFollows(_ tokenizer: String) throws {
    let preflight = try preflight(tokenizer)
    let whole = Manifest.Fact(subject: "the", prompt: "Where is {} fox?", targetNew: "here")
    let torn = Manifest.Fact(subject: "th", prompt: "Where is {}e fox?", targetNew: "here")
    #expect(
      try preflight.notes([whole, torn]) == [
        "fact \"Where is the fox? here\": the subject ends within the token \" the\" of the prompt, where the edit is written"
      ])
  }

  @Test func refusesTargetsThatTheTokenizerDoesNotKnow() throws {
    let fact = Manifest.Fact(subject: "fox", prompt: "The {} is", targetNew: "\u{9F98}")
    #expect(try preflight("llama2").notes([fact]) == [])
    #expect(
      throws: ErrataError(
        .general,
        "fact \"The fox is \u{9F98}\": the model's tokenizer has no tokens for the target \"\u{9F98}\"; choose another")
    ) { try preflight("metaspace").notes([fact]) }
  }
}
