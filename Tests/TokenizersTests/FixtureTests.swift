import Testing

@testable import Tokenizers

@Suite struct FixtureTests {
  @Test(arguments: Fixture.allCases)
  func idsAreThoseOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let items = try fixture.items()
    #expect(items.count > 250)
    for item in items {
      #expect(tokenizer.encode(item.text) == item.ids, "\(item.text.debugDescription)")
      #expect(
        tokenizer.encode(item.text, addingSpecialTokens: true) == item.withSpecial, "\(item.text.debugDescription)")
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

  /// The fixtures without a prefix space, which the reference counts to the character after it, and without
  /// normalization, where the reference has its own alignment of characters.
  @Test(arguments: [Fixture.gpt2, .llama3])
  func rangesWidenedToCharactersAreThoseOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    for item in try fixture.items() {
      let bytes = Array(item.text.utf8)
      let offsets = tokenizer.encodeWithOffsets(item.text).ranges.flatMap { range in
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < bytes.count, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return [start, end]
      }
      #expect(offsets == item.offsets, "\(item.text.debugDescription)")
    }
  }
}
