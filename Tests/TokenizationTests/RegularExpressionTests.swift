import Foundation
import Tensors
import Testing

@testable import Tokenization

/// The string of a `tokenizer.json` that holds a regular expression.
private func source(_ pattern: String) -> Section {
  Section(file: "t.json", name: "pattern.Regex", value: JSON(pattern))
}

private func matches(_ pattern: String, in text: String) throws -> [String] {
  let bytes = Array(text.utf8)
  let found = try bytes.withUnsafeBufferPointer { try RegularExpression(source(pattern)).matches(in: $0) }
  return found.map { String(decoding: bytes[$0], as: UTF8.self) }
}

@Suite struct RegularExpressionTests {
  /// Where Oniguruma and PCRE2 would read the same text in two ways.
  @Test(arguments: [
    (#"a{1,3}+"#, #"(?:a{1,3})+"#), (#"a{2}?"#, #"(?:a{2})?"#), (#"a{,3}"#, #"a{0,3}"#), (#"a{2,}?"#, #"a{2,}?"#),
    (#"a++b*?"#, #"a++b*?"#), (#"a+*"#, #"(?:a+)*"#), (#"a{x"#, #"a\{x"#), (#"a{}"#, #"a\{\}"#),
    (#"(?m:.)"#, #"(?s:.)"#), (#"a(?i)b|c"#, #"a(?i:b|c)"#), (#"(?i-m:a)"#, #"(?i-s:a)"#),
    (#"(?x: a b # c"# + "\n" + #"+)"#, #"(?:ab+)"#), (#"a(?# b)+"#, #"a+"#),
    (#"\h\v\e"#, #"[0-9A-Fa-f]\x{B}\x{1B}"#), (#"\u00e9\x41\101"#, #"\x{E9}AA"#),
    (#"\s"#, #"[\x{9}-\x{D}\x{20}\x{85}\p{Z}]"#),
    (#"[^\S\n]"#, #"(?:(?!(?:[\x{A}]|[^\x{9}-\x{D}\x{20}\x{85}\p{Z}]))(?s:.))"#),
    (#"[a-c&&[^b]]"#, #"(?:(?=[a-c])[^b])"#), (#"[a[bc]]"#, #"[abc]"#), (#"[]a-]"#, #"[\]a\-]"#),
    (#"[[:^digit:]]"#, #"[^\p{Nd}]"#), (#"\p{^L}\P{Lu}"#, #"[^\p{L}][^\p{Lu}]"#),
    (#"\p{Uppercase Letter}\p{han}"#, #"[\p{Lu}][\p{sc:han}]"#), (#"(?<n>a)\k<n>"#, #"(?<n>a)\k<n>"#),
    (#"(a)\1"#, #"(a)\g{1}"#), ("é#~", ##"\x{E9}\#\~"##),
  ])
  func translations(_ pattern: String, _ expected: String) throws {
    #expect(try OnigurumaSyntax.translate(pattern) == expected)
  }

  @Test(arguments: [
    ("[a", "it ends within brackets"), ("(a", "a '(' is not closed"), ("a)", "a ')' closes no group"),
    ("(?<n", "it ends within a name"), ("*a", "a '*' that repeats nothing"), ("a|+", "a '+' that repeats nothing"),
    ("\\", "it ends within an escape"), ("[z-a]", "a range whose end comes before its beginning"),
    (#"[a-\d]"#, "a range that ends with a set"), (#"\p{L"#, "it ends within a property"),
    (#"\pL"#, "a '\\p' without '{'"), (#"\x{110000}"#, "an escape that stands for no character"),
    ("(?#a", "it ends within a comment"), ("[[:no:]]", "an unknown class [:no:]"), ("(?q)", "an unknown group '(?q'"),
  ])
  func malformedExpressions(_ pattern: String, _ reason: String) {
    let message =
      "t.json: pattern.Regex: \(quoted(ByteString(pattern))) is no regular expression: \(reason); "
      + "download the tokenizer again"
    #expect(throws: ErrataError(.damagedInput, message)) { try RegularExpression(source(pattern)) }
  }

  @Test(arguments: [
    ("(*LIMIT_MATCH=1)a", "a callout in \"(*LIMIT_MATCH=1)a\""), ("(?~a)", "a group '(?~' in \"(?~a)\""),
    (#"\g<1>"#, #"'\g' in "\\g<1>""#), (#"\xe4"#, #"a byte that is not ASCII in "\\xe4""#),
    ("a{3,2}", "a repetition {3,2} in \"a{3,2}\""),
    ("(?<=a+)b", "\"(?<=a+)b\" (lookbehind assertion is not fixed length)"),
    (#"\p{Nope}"#, #""\\p{Nope}" (unknown property after \P or \p)"#),
    ("((((a{100}){100}){100}){100})", "\"((((a{100}){100}){100}){100})\" (regular expression is too large)"),
    (
      String(repeating: "(", count: 101) + String(repeating: ")", count: 101),
      "more than 100 groups within one another in \"" + String(repeating: "(", count: 101)
        + String(repeating: ")", count: 101) + "\""
    ),
  ])
  func unsupportedExpressions(_ pattern: String, _ what: String) {
    let message =
      "t.json: pattern.Regex: \(what) is not supported; supported: the syntax that Oniguruma and PCRE2 share"
    #expect(throws: ErrataError(.general, message)) { try RegularExpression(source(pattern)) }
  }

  @Test func longExpressions() throws {
    #expect(
      throws: ErrataError(
        .general, "t.json: pattern.Regex: a regular expression of 32769 bytes is not supported; supported: up to 32768")
    ) { try RegularExpression(source(String(repeating: "a", count: 32769))) }
    // A message shows the beginning alone.
    let long = String(repeating: "a", count: 1000) + "["
    #expect(
      throws: ErrataError(
        .damagedInput,
        "t.json: pattern.Regex: \"\(String(repeating: "a", count: 300))…\" is no regular expression: "
          + "it ends within brackets; download the tokenizer again")
    ) { try RegularExpression(source(long)) }
  }

  /// Without a limit each takes longer than the universe is old.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      ("(a+)+$", "a"), ("(?:a|a)+$", "a"), ("(a|aa)+$", "a"), (#"^(\w+\s?)*$"#, "word "), ("(.*a){25}$", "a"),
    ])
  func backtrackingEnds(_ pattern: String, _ text: String) {
    let text = String(repeating: text, count: 50) + "!"
    let message =
      "t.json: pattern.Regex: \(quoted(ByteString(pattern))) backtracks without end on a text of \(text.utf8.count) "
      + "bytes; use the tokenizer.json of the model's publisher"
    #expect(throws: ErrataError(.damagedInput, message)) { try matches(pattern, in: text) }
  }

  /// More than the stack of the compiled code holds.
  @Test func longMatches() throws {
    let text = String(repeating: "ab", count: 50_000)
    #expect(try matches("(?:a(?=b|c)|b)+", in: text) == [text])
  }

  @Test(arguments: [
    (#"(?=\d)"#, "a12", ["", ""]), ("x*", "axxb", ["", "xx", ""]), ("^", "a\nb", ["", ""]),
    (#"\d+$"#, "1\n23", ["1", "23"]),
    ("(?i:s)", "sSſ", ["s", "S", "ſ"]), (#"\w+"#, "a_1²-é", ["a_1²", "é"]), (#"\bé"#, "é aé", ["é"]), ("", "", []),
  ])
  func foundMatches(_ pattern: String, _ text: String, _ expected: [String]) throws {
    #expect(try matches(pattern, in: text) == expected)
  }

  private static let reclassified: Set<UInt32> = Set(
    [0xC04, 0xF82, 0xF83, 0x10FC, 0xA7F2, 0xA7F3, 0xA7F4, 0xAB69, 0x11080, 0x11081]
      + Array(0x363...0x36F) + Array(0x1DD3...0x1DE6))

  /// Of the characters that Unicode had in version 14, which PCRE2 10.42 has; those that have become alphabetic or
  /// lowercase since are left out.
  @Test(
    .enabled(if: LiveWitness.isInstalled, LiveWitness.installation),
    arguments: [
      #"\s"#, #"\w"#, #"\d"#, #"\h"#, #"\p{L}"#, #"\p{Lu}"#, #"\p{LC}"#, #"\p{M}"#, #"\p{N}"#, #"\p{P}"#, #"\p{S}"#,
      #"\p{Cf}"#, #"\p{Han}"#, #"\p{Latin}"#, #"\p{Common}"#, #"\p{Hira}"#, #"\p{Alphabetic}"#, #"\p{Emoji}"#,
      #"\p{Punct}"#, #"\p{Word}"#, #"\p{Other_Symbol}"#, "[[:alnum:]]", "[[:alpha:]]", "[[:blank:]]", "[[:cntrl:]]",
      "[[:graph:]]", "[[:lower:]]", "[[:print:]]", "[[:punct:]]", "[[:space:]]", "[[:upper:]]", "[[:word:]]",
      "[[:xdigit:]]", #"\W"#, #"[\w&&[^\d_]]"#, #"[^\S\n]"#, #"[^[:alpha:]\p{N}]"#, "(?i:[k-s])",
    ])
  func setsAreThoseOfTheReference(_ set: String) throws {
    let scalars = (0...0x10FFFF).compactMap { Unicode.Scalar(UInt32($0)) }.filter {
      $0.wasKnown(inUnicode: 14) && !Self.reclassified.contains($0.value)
    }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    let found = try matches(set, in: String(text))
    let expected = try LiveWitness.matches(of: set, in: String(text))
    #expect(found.count > 10)
    #expect(found.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
  }
}
