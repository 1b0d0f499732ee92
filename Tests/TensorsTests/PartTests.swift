import Tensors
import Testing

@Suite struct PartTests {
  @Test(arguments: ["1/1", "3/8", "8/8"]) func readsWhatItWrites(text: String) throws {
    #expect(try #require(Part(text)).description == text)
  }

  @Test(arguments: ["", "0/8", "9/8", "3", "3/", "/8", "3/8/2", "a/b", "-1/8", "3/-8", "3.0/8"])
  func refuses(text: String) { #expect(Part(text) == nil) }

  /// Every item is one part's, and the parts differ by one item at most.
  @Test func partsMakeTheWhole() {
    for count in 1...5 {
      let parts = (1...count).map { Part($0, of: count)! }
      for items in 0..<13 {
        let shares = parts.map { part in (0..<items).filter(part.takes) }
        #expect(shares.flatMap(\.self).sorted() == Array(0..<items))
        #expect(shares.map(\.count).max()! - shares.map(\.count).min()! <= 1)
      }
    }
  }
}
