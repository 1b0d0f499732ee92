import Testing

@testable import Tokenization

@Suite struct FixtureTests {
  @Test(arguments: Fixture.allCases)
  func idsAreThoseOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let items = try fixture.items()
    #expect(items.count > 250)
    for item in items {
      #expect(try tokenizer.encode(item.text) == item.ids, "\(item.text.debugDescription)")
      #expect(
        try tokenizer.encode(item.text, addingSpecialTokens: true) == item.withSpecial, "\(item.text.debugDescription)")
    }
  }

  @Test(arguments: Fixture.allCases)
  func decodedTextIsThatOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    for item in try fixture.items() {
      expectSameBytes(tokenizer.decode(item.ids), item.decoded, item.text)
      expectSameBytes(
        tokenizer.decode(item.ids, skippingSpecialTokens: true), item.decodedWithoutSpecial, item.text)
    }
  }

  /// The fixtures whose normalization changes nothing but spaces: elsewhere the reference has its own alignment of
  /// characters. A token that is nothing but the prefix space, whose range is empty here, the reference counts to the
  /// character after it.
  @Test(arguments: [Fixture.gpt2, .llama3, .llama2, .mistral, .gemma])
  func rangesWidenedToCharactersAreThoseOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    for item in try fixture.items() {
      let bytes = Array(item.text.utf8)
      let ranges = try tokenizer.encodeWithOffsets(item.text).ranges
      for (index, range) in ranges.enumerated() where !range.isEmpty {
        let expected = item.offsets[2 * index]..<item.offsets[2 * index + 1]
        #expect(widened(range, in: bytes) == expected, "\(item.text.debugDescription)")
      }
    }
  }
}
