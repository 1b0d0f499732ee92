import Tensors
import Testing

@testable import Tokenization

/// What tokenizers in SentencePiece's way do that byte-level ones do not.
@Suite struct SentencePieceTests {
  private static let fixtures = [Fixture.llama2, .mistral, .gemma]

  /// The tokens of a text that continues another are those that it has within the whole, where no token goes across a
  /// space.
  @Test(arguments: [Fixture.llama2, .mistral])
  func aContinuationHasNoPrefix(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let prompt = try tokenizer.encode("The capital of France is")
    for target in [" Paris", " the", " 1984", " 日本", " é"] {
      let continuation = try tokenizer.encode(target, isContinuation: true)
      #expect(try tokenizer.encode("The capital of France is" + target) == prompt + continuation)
      #expect(tokenizer.decode(continuation, isContinuation: true) == target)
    }
    #expect(try tokenizer.encode("", isContinuation: true) == [])
  }

  /// After a continuation's beginning the file's rules hold: Llama 2 puts a space after each added token.
  @Test func onlyTheBeginningOfAContinuationIsSpecial() throws {
    let tokenizer = try Fixture.llama2.tokenizer()
    let end = try #require(tokenizer.id(of: "</s>"))
    #expect(
      try tokenizer.encode("the</s>the", isContinuation: true)
        == tokenizer.encode("the", isContinuation: true) + [end] + tokenizer.encode("the"))
    #expect(try tokenizer.encode("the", isContinuation: true) != tokenizer.encode("the"))
  }

  @Test func decodersOfContinuationsKeepTheSpace() throws {
    for fixture in [Fixture.llama2, .mistral, .metaspace] {
      let tokenizer = try fixture.tokenizer()
      let ids = try tokenizer.encode("the fox")
      #expect(tokenizer.decode(ids) == "the fox")
      #expect(tokenizer.decode(ids, isContinuation: true) == " the fox")
    }
  }

  @Test(arguments: [Fixture.llama2, .mistral])
  func aPrefixSpaceHasAnEmptyRange(_ fixture: Fixture) throws {
    let encoding = try fixture.tokenizer().encodeWithOffsets("\u{9F98}")
    #expect(encoding.ranges == [0..<0, 0..<1, 1..<2, 2..<3])
  }

  /// Cutting a text into words is faster, and nothing else.
  @Test(arguments: fixtures)
  func partsHaveTheTokensOfTheWhole(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    guard case .bytePair(let model) = tokenizer.model else {
      Issue.record("another kind of model")
      return
    }
    let boundary = try #require(model.boundary)
    var partCount = 0
    for string in try Fixture.randomStrings() {
      let text = Array(string.replacing(" ", with: "▁").utf8)
      text.withUnsafeBufferPointer { text in
        var whole: [PieceToken] = []
        model.encode(text, into: &whole)
        var ids: [Int32] = []
        var end = 0
        boundary.forEachPart(of: text) { part in
          #expect(part.lowerBound == end)
          end = part.upperBound
          partCount += 1
          var tokens: [PieceToken] = []
          model.encode(UnsafeBufferPointer(rebasing: text[part]), into: &tokens)
          ids += tokens.map(\.id)
        }
        #expect(end == text.count)
        #expect(ids == whole.map(\.id), "\(string.debugDescription)")
      }
    }
    #expect(partCount > 3000)
  }

  /// Neither text has a place to cut it. With time that grows with the square of the length this takes hours.
  @Test(.timeLimit(.minutes(2)), arguments: fixtures)
  func timeIsNotQuadratic(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    for text in [String(repeating: "thequickbrownfox", count: 30_000), String(repeating: " ", count: 400_000)] {
      #expect(try tokenizer.decode(tokenizer.encode(text, isContinuation: true), isContinuation: true) == text)
    }
  }
}
