import Tensors
import Testing

@testable import Tokenization

/// The expected values are what `tokenizers` 0.23.3 makes of the same.
@Suite struct SplittingTests {
  @Test(arguments: [
    (SplitBehavior.isolated, false, "the - final - - countdown", "- a -", "- -"),
    (.removed, false, "the final countdown", "a", ""),
    (.mergedWithPrevious, false, "the- final- - countdown", "- a-", "- -"),
    (.mergedWithNext, false, "the -final - -countdown", "-a -", "- -"),
    (.contiguous, false, "the - final -- countdown", "- a -", "--"),
    (.isolated, true, "the - final - - countdown", "- a -", "- -"),
    (.removed, true, "- - -", "- -", "- -"),
    (.mergedWithPrevious, true, "the -final - -countdown", "-a -", "- -"),
    (.mergedWithNext, true, "the- final- - countdown", "- a-", "- -"),
    (.contiguous, true, "the - final -- countdown", "- a -", "--"),
  ])
  func behaviors(
    _ behavior: SplitBehavior, _ isInverted: Bool, _ countdown: String, _ word: String, _ dashes: String
  ) throws {
    for (text, expected) in [("the-final--countdown", countdown), ("-a-", word), ("--", dashes)] {
      var aligned = AlignedText(text.utf8, origin: 0)
      let step = PreTokenizer.Step.split(.text(.literal(Array("-".utf8))), behavior, isInverted: isInverted)
      let pieces = try PreTokenizer(steps: [step], isByteLevel: false).split(&aligned)
      #expect(pieces.map { String(decoding: aligned.bytes[$0], as: UTF8.self) }.joined(separator: " ") == expected)
    }
  }

  @Test(arguments: [
    (Metaspace.PrependScheme.always, true, "_a _ _b|_c", "_b|_c _d"),
    (.first, true, "_a _ _b|c", "_b|c _d"), (.never, true, "_a _ _b|c", "b|c _d"),
    (.always, false, "_a__b|_c", "_b|_c_d"), (.first, false, "_a__b|c", "_b|c_d"), (.never, false, "_a__b|c", "b|c_d"),
  ])
  func metaspaces(_ scheme: Metaspace.PrependScheme, _ isSplitting: Bool, _ spaced: String, _ plain: String) throws {
    let metaspace = Metaspace(replacement: Array("_".utf8), prependScheme: scheme, isSplitting: isSplitting)
    let bar = PreTokenizer.Step.split(.text(.literal(Array("|".utf8))), .removed, isInverted: false)
    let preTokenizer = PreTokenizer(steps: [bar, .metaspace(metaspace)], isByteLevel: false)
    for (text, expected) in [(" a  b|c", spaced), ("b|c d", plain)] {
      var aligned = AlignedText(text.utf8, origin: 0)
      var pieces = try preTokenizer.split(&aligned).map { String(decoding: aligned.bytes[$0], as: UTF8.self) }
      // Both sides are compared without the places of the bars.
      pieces = pieces.joined(separator: " ").split(separator: " ").map(String.init)
      #expect(pieces == expected.split { $0 == " " || $0 == "|" }.map(String.init))
    }
  }

  @Test(arguments: [
    (#"\s+"#, "a_b_c", "'''", "xxaxx"), (" {2,}", "a_b \n c", "'''", "xxaxx"), (#"\s{2,}"#, "a_b_c", "'''", "xxaxx"),
    ("''", "a  b \n c", "_'", "xxaxx"), ("x+", "a  b \n c", "'''", "_a_"), (#"\n"#, "a  b _ c", "'''", "xxaxx"),
  ])
  func replacedPatterns(_ regularExpression: String, _ spaces: String, _ quotes: String, _ letters: String) throws {
    let pattern = try #require(TextPattern(regularExpression: regularExpression))
    for (text, expected) in [("a  b \n c", spaces), ("'''", quotes), ("xxaxx", letters)] {
      var aligned = AlignedText(text.utf8, origin: 0)
      aligned.replace(
        aligned.bytes.withUnsafeBufferPointer { pattern.matches(in: $0) }.map { ($0, [UInt8(ascii: "_")]) })
      #expect(String(decoding: aligned.bytes, as: UTF8.self) == expected)
    }
  }

  @Test(arguments: [
    (NormalizationForm.canonicalDecomposition, "e\u{301}\u{3131}\u{1100}\u{1161}\u{11A8}\u{2460}"),
    (.canonicalComposition, "\u{E9}\u{3131}\u{AC01}\u{2460}"),
    (.compatibilityDecomposition, "e\u{301}\u{1100}\u{1100}\u{1161}\u{11A8}1"),
    (.compatibilityComposition, "\u{E9}\u{1100}\u{AC01}1"),
  ])
  func normalizationForms(_ form: NormalizationForm, _ expected: String) {
    var text = AlignedText("\u{E9}\u{3131}\u{AC01}\u{2460}".utf8, origin: 0)
    text.normalize(to: form)
    #expect(text.bytes == Array(expected.utf8))
  }

  /// U+0F75 is no mark to the ordering of marks, but decomposes to two.
  @Test func decomposedMarksAreOrdered() {
    var text = AlignedText("\u{F9}\u{F75}".utf8, origin: 0)
    text.normalize(to: .canonicalDecomposition)
    #expect(text.bytes == Array("u\u{F71}\u{F74}\u{300}".utf8))
  }

  /// Letters of the compatibility area become ones that compose with their neighbours.
  @Test func compatibilityCompositionCrossesClusters() {
    var text = AlignedText("\u{3131}\u{314F}\u{FF76}\u{FF9E}".utf8, origin: 0)
    text.normalize(to: .compatibilityComposition)
    #expect(text.bytes == Array("\u{AC00}\u{30AC}".utf8))
  }
}
