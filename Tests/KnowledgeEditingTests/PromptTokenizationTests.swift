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
      let ids = try tokenization.target(target)
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
}
