import Foundation
import Testing

@testable import Tokenization

private let realFiles = ProcessInfo.processInfo.environment["ERRATA_TOKENIZERS"]

/// Whole tokenizers against the installed reference: ids, ranges and decoded text.
@Suite(.enabled(if: LiveWitness.isInstalled, LiveWitness.installation))
struct ReferenceTests {
  /// Where the normalization moves characters, or unknown ones are fused, the reference gives the token another range:
  /// that of a neighbour (`NormalizedString::transform`), or of the whole run for each byte of it. There each range
  /// must share a place with the reference's or touch it.
  private static let differentlyAligned: Set = [
    "albert", "cohere", "helium", "replace_patterns", "t5", "sentencepiece_nfkc", "sentencepiece_nmt_nfkc",
    "sentencepiece_nmt_nfkc_cf",
  ]

  private static let hardStrings = [
    "ﬁne ﬂow ½ ① Ⅷ ㌀ ㍿ ｶﾞ", "a\u{301}b e\u{301}", "Hello World's HTTPServer I'LL", "12,345,678.9", "(a|b)", "  \n\n x",
    "abab", "ttuu ss rr", "Ａｌｐｈａ　１２３", "\r\n\r\n", "👍 🇫🇷", "漢字かな交じり文", "a_b_1", "x²³½", "``quoted''",
    "<unk>", "<0x41>", "</s>a", "\u{200C}\u{200D} क्\u{200D}ष", "",
  ]

  /// Every kind of component and the make of each family of files, with small vocabularies.
  @Test func syntheticTokenizers() throws {
    let tokenizers = try LiveWitness.syntheticTokenizers()
    defer {
      try? FileManager.default.removeItem(atPath: (tokenizers.values.first! as NSString).deletingLastPathComponent)
    }
    #expect(tokenizers.count > 50)
    let strings = try Self.hardStrings + Fixture.randomStrings().prefix(800) + Fixture.recombinedStrings(400)
    for (name, path) in tokenizers.sorted(by: <) { try compare(name, path, strings) }
  }

  /// Files of published models, which `make test-tokenizers` fetches.
  @Test(.enabled(if: realFiles != nil, "needs the files that 'make test-tokenizers' fetches"))
  func publishedTokenizers() throws {
    let tokenizers = try LiveWitness.tokenizers(in: #require(realFiles))
    #expect(tokenizers.count >= 5)
    let strings = try Self.hardStrings + Fixture.randomStrings() + Fixture.recombinedStrings(5000)
    for (name, path) in tokenizers.sorted(by: <) { try compare(name, path, strings) }
  }

  private func compare(_ name: String, _ path: String, _ strings: [String]) throws {
    let tokenizer = try Tokenizer(contentsOf: path)
    let answers = try LiveWitness.answers(tokenizer: path, strings: strings)
    try #require(answers.count == strings.count)
    var differences: [String] = []
    for (string, answer) in zip(strings, answers) {
      let encoding = try tokenizer.encodeWithOffsets(string)
      if encoding.ids != answer.ids {
        differences.append("ids \(encoding.ids), not \(answer.ids), of \(string.debugDescription)")
      } else if !tokenizer.decode(answer.ids).utf8.elementsEqual(answer.decoded.utf8) {
        differences.append(
          "decoded \(tokenizer.decode(answer.ids).debugDescription), not \(answer.decoded.debugDescription)")
      } else if let index = differingRange(encoding.ranges, answer.offsets, string, name) {
        differences.append(
          "range \(encoding.ranges[index]), not \(answer.offsets[2 * index])..<\(answer.offsets[2 * index + 1]), "
            + "of token \(index) of \(string.debugDescription)")
      }
    }
    #expect(differences.isEmpty, "\(name): \(differences.count) differences: \(differences.prefix(3))")
  }

  /// The index of the first range that is not the reference's; nil if there is none. An empty range is that of a token
  /// which stands for nothing in the text; the reference counts it to the character after it.
  private func differingRange(_ ranges: [Range<Int>], _ offsets: [Int], _ string: String, _ name: String) -> Int? {
    let bytes = Array(string.utf8)
    return ranges.indices.first { index in
      if ranges[index].isEmpty { return false }
      let range = widened(ranges[index], in: bytes)
      let expected = offsets[2 * index]..<offsets[2 * index + 1]
      return Self.differentlyAligned.contains(name)
        ? range.lowerBound > expected.upperBound || expected.lowerBound > range.upperBound : range != expected
    }
  }
}
