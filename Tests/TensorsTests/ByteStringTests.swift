import Tensors
import Testing

@Suite struct ByteStringTests {
  @Test func canonicallyEquivalentTextsDiffer() {
    let (one, two) = ("\u{E9}", "e\u{301}")
    #expect(one == two)
    #expect(ByteString(one) != ByteString(two))
    #expect(Set([ByteString(one), ByteString(two)]).count == 2)
  }

  @Test func ordersByCodePoint() {
    let texts: [ByteString] = ["", "A", "a", "ab", "b", "e\u{301}", "\u{E9}", "\u{FFFD}", "\u{1F600}"]
    #expect(texts.reversed().sorted() == texts)
    #expect(ByteString([0x61]) < ByteString([0xFF]))
  }

  @Test func showsWhatIsNotText() {
    #expect(ByteString([0x61, 0xFF]).description == "a\u{FFFD}")
    #expect(ByteString([UInt8]()).description == "")
  }
}
