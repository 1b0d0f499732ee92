import Foundation
import Tensors
import Testing
import Tokenization
import WeightPatch

@testable import Facts
@testable import KnowledgeEditing

/// With tokenizers of the kind of Llama 2, which put a token for the beginning and a space before every text.
@Suite struct PromptTokenizationTests {
  private let tokenizers: [Tokenizer]

  init() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../TokenizationTests/Fixtures").standardizedFileURL.path
    tokenizers = try ["llama2", "mistral", "gemma"].map {
      try Tokenizer(contentsOf: "\(fixtures)/\($0).tokenizer.json")
    }
  }

  private func fact(_ prompt: String, subject: String) -> Manifest.Fact {
    Manifest.Fact(subject: subject, prompt: prompt, targetNew: "x")
  }

  @Test(arguments: ["Paris", " Paris", "the end", "1984", "日本"])
  func targetsContinueThePrompt(_ target: String) throws {
    // The third fixture has tokens that go across the space between the two.
    for tokenizer in tokenizers.prefix(2) {
      let tokenization = PromptTokenization(tokenizer)
      let prompt = "The capital of France is"
      let text = prompt + (target.hasPrefix(" ") ? "" : " ") + target
      let ids = try tokenization.target(Manifest.Fact(subject: "France", prompt: "{} is", targetNew: target))
      #expect(try tokenization.prompt(prompt) + ids == tokenization.prompt(text))
      #expect(!ids.contains(tokenizer.leadingTokens[0]))
      #expect(prompt + tokenization.continuation(ids) == text)
    }
  }

  @Test(arguments: ["{} is in", "The {} is located in", "Where is {}?", "  {}  is", "{}s are"])
  func lookupIsTheSubjectsLastToken(_ prompt: String) throws {
    for tokenizer in tokenizers {
      let tokenization = PromptTokenization(tokenizer)
      for subject in ["Eiffel Tower", "Zürich", "東京", "F. 1984", "🙂"] {
        for template in ["{}", "Therefore the man. {}"] {
          let tokenized = try tokenization.prompt(fact(prompt, subject: subject), template: template)
          let text = template.replacing("{}", with: prompt).replacing("{}", with: subject)
          #expect(try tokenized.tokens == tokenization.prompt(text))
          let end = try #require(text.utf8.firstRange(of: Array(subject.utf8))).upperBound
          let last = text.utf8.distance(from: text.startIndex, to: end) - 1
          let leading = tokenizer.leadingTokens.count
          let range = try tokenizer.encodeWithOffsets(text).ranges[tokenized.lookup - leading]
          #expect(range.contains(last), "\(text) \(subject)")
        }
      }
    }
  }

  /// Facts in many scripts, with a tokenizer of each kind: tokens and lookup by the offsets of the `tokenizers` package
  /// (Tests/Golden/make_golden_lookups.py).
  @Test func lookupsInEveryScript() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
    let goldens = try #require(try JSON.parse(contentsOf: folder + "/Golden/lookups.json").arrayValue)
    #expect(goldens.count == 9 * 18)
    var tokenizers: [String: Tokenizer] = [:]
    for golden in goldens {
      let name = try #require(golden["tokenizer"]?.stringValue)
      if tokenizers[name] == nil {
        tokenizers[name] = try Tokenizer(contentsOf: "\(folder)/TokenizationTests/Fixtures/\(name).tokenizer.json")
      }
      let tokenizer = try #require(tokenizers[name])
      let leading = tokenizer.leadingTokens.count
      let asked = fact(golden["prompt"]!.stringValue!, subject: golden["subject"]!.stringValue!)
      let found = try PromptTokenization(tokenizer).prompt(asked)
      #expect(found.tokens.dropFirst(leading).map { Int($0) } == golden["ids"]?.arrayValue?.compactMap(\.integerValue))
      #expect(found.lookup - leading == golden["lookup"]?.integerValue, "\(name): \(asked.question)")
    }
  }

  /// In a chat's turn the same subject is looked up, behind the turn's text, and nothing is put before the whole.
  @Test func chatsHaveTheirOwnBeginning() throws {
    for tokenizer in tokenizers {
      let tokenization = PromptTokenization(tokenizer)
      var asked = fact("Where is {}?", subject: "Zürich")
      asked.form = Manifest.Form(turn: .init(before: "User: ", after: "\nReply:\n"))
      let found = try tokenization.prompt(asked, template: "So it is. {}")
      let text = "User: So it is. Where is Zürich?\nReply:\n"
      #expect(found.tokens == (try tokenizer.encode(text)))
      let range = try tokenizer.encodeWithOffsets(text).ranges[found.lookup]
      #expect(range.contains("User: So it is. Where is Zürich".utf8.count - 1))
      // After a line break nothing stands before the target.
      let separated = try tokenization.separated(FactRecord(fact: asked))
      #expect(separated.fact.separator == "" && separated.isSeparated)
      #expect(try tokenization.target(separated.fact) == tokenizer.encode("x", isContinuation: true))
      let spaced = try tokenization.separated(FactRecord(fact: asked).separated(by: " "))
      #expect(spaced.fact.separator == nil)
      #expect(try tokenization.target(spaced.fact) == tokenizer.encode(" x", isContinuation: true))
    }
  }

  /// Other prompts of a fact and other targets have what the rule says between them, or what the fact has instead of
  /// it.
  @Test func otherPromptsFollowTheFact() throws {
    let tokenization = PromptTokenization(tokenizers[0])
    let plain = fact("{} is", subject: "Zürich")
    let joined = Manifest.Fact(subject: "東京", prompt: "{}は", targetNew: "都").separated(by: "")
    for (prompt, target, expected) in [("Bern is", "y", " "), ("Bern:\n", "y", ""), ("Bern is", "京都", "")] {
      for fact in [plain, joined] {
        #expect(try tokenization.separator(target, after: prompt, of: fact) == expected, "\(prompt) \(target)")
      }
      // Neither has what the rule would say.
      #expect(try tokenization.separator(target, after: prompt, of: plain.separated(by: "")) == "")
      #expect(try tokenization.separator(target, after: prompt, of: joined.separated(by: " ")) == " ")
    }
    #expect(try tokenization.separator(" y", after: "Bern is", of: joined.separated(by: " ")) == "")
  }
}
