import Foundation
import Tensors
import Testing

@testable import Tokenization

@Suite struct UnigramTests {
  private func model(_ vocabulary: [(String, Double)], isByteFallback: Bool = false) throws -> UnigramModel {
    let list = JSON.array(vocabulary.map { .array([JSON($0), .double($1)]) })
    let json: JSON = ["type": "Unigram", "unk_id": 0, "vocab": list, "byte_fallback": .bool(isByteFallback)]
    return try UnigramModel(Section(file: "t.json", name: "model", value: json))
  }

  private func tokens(_ model: UnigramModel, _ text: String) -> [String] {
    let bytes = Array(text.utf8)
    var tokens: [PieceToken] = []
    bytes.withUnsafeBufferPointer { model.encode($0, into: &tokens) }
    #expect(zip(tokens, tokens.dropFirst()).allSatisfy { $0.end == $1.start })
    #expect(tokens.last?.end ?? 0 == bytes.count)
    return tokens.map { "\($0.id):" + String(decoding: bytes[Int($0.start)..<Int($0.end)], as: UTF8.self) }
  }

  /// The example of the documentation of `tokenizers`.
  @Test func theBestSumWins() throws {
    let model = try model([
      ("<unk>", 0), ("a", 0), ("b", 0), ("c", 0), ("d", 0), ("cd", 1), ("ab", 2), ("abc", 5), ("abcd", 10),
    ])
    #expect(tokens(model, "abcdacdxx") == ["8:abcd", "1:a", "5:cd", "0:xx"])
    #expect(tokens(model, "") == [])
    // Of two ways with the same sum the first that was found: the longer token at the end.
    #expect(tokens(model, "bcd") == ["2:b", "5:cd"])
  }

  @Test func unknownCharactersBecomeBytes() throws {
    let bytes = ByteFallback.spellings.map { (String(decoding: $0, as: UTF8.self), -20.0) }
    let whole = try model([("<unk>", 0), ("a", -1)] + bytes, isByteFallback: true)
    var ids: [PieceToken] = []
    Array("aé".utf8).withUnsafeBufferPointer { whole.encode($0, into: &ids) }
    #expect(ids.map(\.id) == [1, 2 + 0xC3, 2 + 0xA9])
    // Its own spelling is the unknown token; where a byte has no token, so is the whole.
    #expect(tokens(whole, "<unk>a") == ["0:<unk>", "1:a"])
    let torn = try model([("<unk>", 0), ("a", -1)] + bytes.filter { $0.0 != "<0xA9>" }, isByteFallback: true)
    #expect(tokens(torn, "aéa") == ["1:a", "0:é", "1:a"])
  }

  /// Files that were trained on a text with "<unk>" have it twice: the second is found, both are spelled so.
  @Test func ofTwoEqualTokensTheSecondCounts() throws {
    let model = try model([("<unk>", 0), ("a", -1), ("a", -3)])
    #expect(tokens(model, "a") == ["2:a"])
    #expect(model.vocabulary.token(of: 1).map { Array($0) } == Array("a".utf8))
  }

  @Test func errors() {
    func expect(_ category: ErrataError.Kind, _ message: String, _ json: JSON) {
      #expect(throws: ErrataError(category, "t.json: model." + message)) {
        try UnigramModel(Section(file: "t.json", name: "model", value: json))
      }
    }
    expect(
      .damagedInput, "vocab: a tokenizer without a vocabulary; use the tokenizer.json that belongs to the checkpoint",
      ["unk_id": 0, "vocab": []])
    expect(
      .damagedInput,
      "vocab[1]: a pair of a token and its score is expected, not an array; download the tokenizer again",
      ["unk_id": 0, "vocab": [["a", 0], ["b", "c"]]])
    let supported = "is not supported; supported: the index of a token"
    expect(.general, "unk_id: a model without an unknown token \(supported)", ["vocab": [["a", 0]]])
    expect(.general, "unk_id: an index outside the vocabulary \(supported)", ["unk_id": 1, "vocab": [["a", 0]]])
  }

  /// Time grows with the length, also of a text without a place to cut it.
  @Test(.timeLimit(.minutes(1))) func longTexts() throws {
    let model = try model([("<unk>", 0), ("a", -2), ("aa", -3), ("aaaaaaaa", -4)])
    #expect(tokens(model, String(repeating: "a", count: 800_000)).count == 100_000)
  }

  @Test func prefixTreeFindsWhatIsThere() {
    let strings = ["a", "ab", "abc", "b", "é", "", "ab", "日本", "日"].map { Array($0.utf8) }
    let tree = PrefixTree(strings)
    func found(_ text: String) -> [Int] {
      var found: [Int] = []
      Array(text.utf8).withUnsafeBufferPointer { text in
        tree.forEachMatch(in: text, at: 0) {
          #expect($1 == strings[$0].count)
          found.append($0)
        }
      }
      return found
    }
    #expect(found("abcd") == [0, 6, 2])
    #expect(found("日本") == [8, 7])
    #expect(found("è") == [])
    #expect(found("") == [])
  }

  /// Whatever the trie holds, a text stays well-formed.
  @Test func damagedCharacterMapsAreHarmless() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      let units = (0..<64).flatMap { _ in
        // Labels, small offsets and the sign of an end, as a sound trie has.
        let unit = UInt32.random(in: 0..<128) << 10 | UInt32.random(in: 0...1) << 8 | UInt32.random(in: 0x60...0x6F)
        return withUnsafeBytes(of: unit.littleEndian) { Array($0) }
      }
      let texts = Array("é\0日本\0\0x".utf8)
      let length = withUnsafeBytes(of: UInt32(units.count).littleEndian) { Array($0) }
      let base64 = Data(length + units + texts).base64EncodedString()
      let map = try CharacterMap(Section(file: "t.json", name: "map", value: JSON(base64)))
      let text = String(
        (0..<20).map { _ in Character(Unicode.Scalar(UInt8.random(in: 0x60...0x6F, using: &generator))) })
      for (range, bytes) in map.replacements(in: text) {
        #expect(range.upperBound <= text.utf8.count)
        #expect(String(validating: bytes, as: UTF8.self) != nil)
      }
    }
  }
}
