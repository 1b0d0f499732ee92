import Foundation
import Tensors
import Testing

@testable import Tokenization

@Suite struct TokenizerTests {
  /// The use that the ranges are for: which token has the last byte of the subject?
  @Test func rangesFindTheLastTokenOfASubject() throws {
    let tokenizer = try Fixture.gpt2.tokenizer()
    let text = "The capital of France is"
    let encoding = try tokenizer.encodeWithOffsets(text)
    let end = "The capital of France".utf8.count
    let last = try #require(encoding.ranges.firstIndex { $0.contains(end - 1) })
    #expect(encoding.ranges[last].upperBound == end)
    #expect(tokenizer.decode(Array(encoding.ids[...last])) == "The capital of France")
  }

  @Test(arguments: [Fixture.gpt2, .llama3])
  func rangesPartitionTheTextAndSpellTheTokens(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    for item in try fixture.items() {
      let bytes = Array(item.text.utf8)
      let encoding = try tokenizer.encodeWithOffsets(item.text)
      #expect(encoding.ranges.flatMap { Array($0) } == Array(bytes.indices), "\(item.text.debugDescription)")
      for (id, range) in zip(encoding.ids, encoding.ranges) where !item.text.contains("<") && !item.text.contains("é") {
        #expect(tokenizer.decodeBytes([id]) == Array(bytes[range]))
      }
    }
  }

  @Test func rangesOfTextThatNormalizationChanges() throws {
    let tokenizer = try Fixture.qwen2.tokenizer()
    // The added token "café" is found in the text that "cafe" and a combining accent become.
    let encoding = try tokenizer.encodeWithOffsets("A cafe\u{301}!")
    #expect(encoding.ranges.last == 8..<9)
    #expect(encoding.ranges[encoding.ranges.count - 2] == 2..<8)
    #expect(try tokenizer.encode("A caf\u{E9}!") == encoding.ids)
  }

  @Test func aPrefixSpaceHasAnEmptyRange() throws {
    let tokenizer = try Fixture.digits.tokenizer()
    let encoding = try tokenizer.encodeWithOffsets("a1")
    #expect(tokenizer.decode(encoding.ids) == " a 1")
    #expect(encoding.ranges.first?.lowerBound == 0)
    #expect(encoding.ranges.last?.upperBound == 2)
    #expect(try tokenizer.encodeWithOffsets("\u{3000}").ranges.first == 0..<0)
  }

  @Test func specialTokensOfATemplate() throws {
    let llama3 = try Fixture.llama3.tokenizer()
    let beginning = try #require(llama3.id(of: "<|begin_of_text|>"))
    #expect(llama3.leadingTokens == [beginning])
    #expect(llama3.trailingTokens == [])
    let encoding = try llama3.encodeWithOffsets("Hello", addingSpecialTokens: true)
    #expect(encoding.ids.first == beginning)
    #expect(encoding.ranges == [0..<0, 0..<5])
    let qwen2 = try Fixture.qwen2.tokenizer()
    #expect(qwen2.trailingTokens == [0])
    #expect(try qwen2.encodeWithOffsets("é", addingSpecialTokens: true).ranges.last == 2..<2)
    #expect(try Fixture.gpt2.tokenizer().leadingTokens == [])
  }

  @Test func vocabulary() throws {
    let tokenizer = try Fixture.llama3.tokenizer()
    let id = try #require(tokenizer.id(of: "Ġelectroencephalogram"))
    #expect(tokenizer.token(of: id) == "Ġelectroencephalogram")
    #expect(try tokenizer.encode(" electroencephalogram") == [id])
    #expect(tokenizer.token(of: Int32(tokenizer.vocabularySize)) == nil)
    #expect(tokenizer.token(of: Int32(tokenizer.vocabularySize) - 1) == "<|begin_of_text|>")
    #expect(tokenizer.token(of: -1) == nil)
    #expect(tokenizer.id(of: "no such token") == nil)
  }

  @Test func idsThatAreNotUsedDecodeToNothing() throws {
    let tokenizer = try Fixture.gpt2.tokenizer()
    #expect(tokenizer.decode([-1, 1_000_000, .max]) == "")
    #expect(tokenizer.decode([]) == "")
  }

  @Test func digestIsThatOfTheFile() throws {
    let file = try Array(Data(contentsOf: URL(filePath: Fixture.gpt2.path)))
    #expect(try Fixture.gpt2.tokenizer().digest == Digest(of: file))
  }

  @Test func oneTokenizerServesManyTasks() async throws {
    let tokenizer = try Fixture.llama3.tokenizer()
    let items = try Fixture.llama3.items()
    let expected = items.map(\.ids)
    try await withThrowingTaskGroup(of: [[Int32]].self) { group in
      for _ in 0..<4 { group.addTask { try items.map { try tokenizer.encode($0.text) } } }
      for try await ids in group { #expect(ids == expected) }
    }
  }
}
