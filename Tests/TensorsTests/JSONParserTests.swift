import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct JSONParserTests {
  private func parse(_ text: String, maximumDepth: Int = 64) throws -> JSON {
    try JSON.parse(Array(text.utf8), maximumDepth: maximumDepth)
  }

  private func expectFailure(
    _ bytes: [UInt8], _ reason: String, at offset: Int, location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: JSONSyntaxError.self, sourceLocation: location) { try JSON.parse(bytes) }
    #expect(error?.reason == reason, sourceLocation: location)
    #expect(error?.offset == offset, sourceLocation: location)
  }

  private func expectFailure(
    _ text: String, _ reason: String, at offset: Int, location: SourceLocation = #_sourceLocation
  ) {
    expectFailure(Array(text.utf8), reason, at: offset, location: location)
  }

  @Test func readsEveryKindOfValue() throws {
    let text = """
       \t\r\n{"a": [1, -2.5, true, false, null, "x", [], {}], "b" : { "c":{"d":[[0]]}}}\n
      """
    let expected: JSON = [
      "a": [1, -2.5, true, false, .null, "x", [], [:]], "b": ["c": ["d": [[0]]]],
    ]
    #expect(try parse(text) == expected)
    #expect(try parse("0") == 0)
    #expect(try parse(" \"\" ") == "")
    #expect(try parse("null") == .null)
  }

  @Test func keepsTheOrderOfMembers() throws {
    let object = try #require(try parse(#"{"b": 1, "a": 2, "c": 3}"#).objectValue)
    #expect(object.keys == ["b", "a", "c"])
    #expect(object["a"] == 2)
    #expect(object["d"] == nil)
  }

  @Test(arguments: [
    ("0", 0), ("-0", 0), ("7", 7), ("-12", -12), ("9223372036854775807", .max), ("-9223372036854775808", .min),
  ]) func integers(text: String, value: Int) throws {
    #expect(try parse(text) == .integer(value))
  }

  @Test(arguments: [
    ("0.0", 0.0), ("-0.0", -0.0), ("1.5", 1.5), ("1e2", 100), ("1E+2", 100), ("25e-2", 0.25), ("-1.25E1", -12.5),
    ("9223372036854775808", 0x1p63), ("-9223372036854775809", -0x1p63),
    ("1.7976931348623157e308", .greatestFiniteMagnitude),
    ("5e-324", .leastNonzeroMagnitude), ("1e-400", 0), ("0e999999999999", 0), ("0.1", 0.1),
    ("123456789012345678901234567890", 1.2345678901234568e29),
  ]) func otherNumbers(text: String, value: Double) throws {
    guard case .double(let found) = try parse(text) else {
      Issue.record("\(text) is not a double")
      return
    }
    #expect(found.bitPattern == value.bitPattern)
  }

  @Test(arguments: [
    ("-", "a digit is expected", 1), ("01", "unexpected text after the value", 1),
    ("-01", "unexpected text after the value", 2), ("1.", "a digit is expected", 2),
    (".5", "a value is expected", 0), ("+1", "a value is expected", 0), ("1e", "a digit is expected", 2),
    ("1e+", "a digit is expected", 3), ("0x10", "unexpected text after the value", 1),
    ("1_000", "unexpected text after the value", 1), ("NaN", "a value is expected", 0),
    ("Infinity", "a value is expected", 0), ("-Infinity", "a digit is expected", 1),
    ("1e400", "the number is too large", 0), ("[1, -2e999]", "the number is too large", 4),
  ]) func malformedNumbers(text: String, reason: String, offset: Int) {
    expectFailure(text, reason, at: offset)
  }

  @Test func malformedStructure() {
    expectFailure("", "the text ends where a value is expected", at: 0)
    expectFailure("  ", "the text ends where a value is expected", at: 2)
    expectFailure("1 2", "unexpected text after the value", at: 2)
    expectFailure("tru", "a value is expected", at: 0)
    expectFailure("True", "a value is expected", at: 0)
    expectFailure("nulls", "unexpected text after the value", at: 4)
    expectFailure("[1,]", "a value is expected", at: 3)
    expectFailure("[,1]", "a value is expected", at: 1)
    expectFailure("[1 2]", "',' or ']' is expected", at: 3)
    expectFailure("[1}", "',' or ']' is expected", at: 2)
    expectFailure("{\"a\":1,}", "a key is expected", at: 7)
    expectFailure("{a:1}", "a key is expected", at: 1)
    expectFailure("{1:1}", "a key is expected", at: 1)
    expectFailure("{\"a\" 1}", "':' is expected", at: 5)
    expectFailure("{\"a\":1 \"b\":2}", "',' or '}' is expected", at: 7)
    expectFailure("// comment\n1", "a value is expected", at: 0)
    expectFailure([0xEF, 0xBB, 0xBF, UInt8(ascii: "1")], "a value is expected", at: 0)
    expectFailure([UInt8(ascii: "1"), 0], "unexpected text after the value", at: 1)
    // A form feed and a no-break space are not JSON's white space.
    expectFailure("\u{0C}1", "a value is expected", at: 0)
    expectFailure("\u{A0}1", "a value is expected", at: 0)
  }

  @Test func duplicateKeys() throws {
    expectFailure(#"{"a": 1, "b": 2, "a": 1}"#, "duplicate key \"a\"", at: 17)
    expectFailure(#"{"a": 1, "\u0061": 2}"#, "duplicate key \"a\"", at: 9)
    expectFailure(#"[{"": 1, "": 2}]"#, "duplicate key \"\"", at: 9)
    // The same key at two levels, and canonically equivalent keys, are different members.
    #expect(try parse(#"{"a": {"a": 1}}"#) == ["a": ["a": 1]])
    #expect(try parse("{\"\u{E9}\": 1, \"e\u{301}\": 2}").objectValue?.count == 2)
  }

  @Test func depth() throws {
    func nested(_ count: Int) -> String { String(repeating: "[", count: count) + String(repeating: "]", count: count) }
    #expect(throws: Never.self) { try parse(nested(64)) }
    expectFailure(nested(65), "nested more than 64 levels deep", at: 64)
    expectFailure(
      String(repeating: "{\"a\":", count: 100_000), "nested more than 64 levels deep", at: 64 * 5)
    #expect(throws: Never.self) { try parse(nested(3), maximumDepth: 3) }
    #expect(throws: JSONSyntaxError.self) { try parse("[[[{}]]]", maximumDepth: 3) }
    // Depth is how deep, not how many.
    #expect(throws: Never.self) { try parse("[[],[],{},[[]]]", maximumDepth: 3) }
  }

  /// A value takes far more memory than its text: a file that is not trusted must not choose how many there are.
  @Test func limitsTheNumberOfValues() throws {
    let text = Array(#"{"a":[0,0,{}],"b":null}"#.utf8)
    #expect(throws: Never.self) { try JSON.parse(text, maximumValueCount: 6) }
    let error = #expect(throws: JSONSyntaxError.self) { try JSON.parse(text, maximumValueCount: 5) }
    #expect(error?.reason == "more than 5 values")
    #expect(error?.offset == 18)
  }

  @Test func strings() throws {
    #expect(try parse(#""\"\\\/\b\f\n\r\t""#) == .string(ByteString([0x22, 0x5C, 0x2F, 8, 12, 10, 13, 9])))
    #expect(try parse(#""a\u0000b""#) == .string(ByteString([0x61, 0, 0x62])))
    #expect(try parse(#""\u00e9\u20AC\uFFFF""#) == "\u{E9}\u{20AC}\u{FFFF}")
    #expect(try parse(#""\ud83d\ude00\uD800\uDC00\udbff\udfff""#) == "\u{1F600}\u{10000}\u{10FFFF}")
    #expect(try parse("\"\u{1F600}é\u{7F}\"") == "\u{1F600}é\u{7F}")
    #expect(try parse("\"é\\n\u{1F600}\"") == "é\n\u{1F600}")
    expectFailure(#""abc"#, "the text ends inside a string", at: 0)
    expectFailure(#""abc\"#, "the text ends inside a string", at: 5)
    expectFailure(#""\x""#, "an unknown escape", at: 1)
    expectFailure(#""\u12G4""#, "four hexadecimal digits are expected", at: 5)
    expectFailure(#""\u12"#, "four hexadecimal digits are expected", at: 5)
    // A full-width digit is a hexadecimal digit to Swift.
    expectFailure("\"\\u\u{FF11}234\"", "four hexadecimal digits are expected", at: 3)
    expectFailure("\"a\nb\"", "a control character in a string", at: 2)
    expectFailure("\"\\n\u{1F}\"", "a control character in a string", at: 3)
    expectFailure("\"\0\"", "a control character in a string", at: 1)
  }

  @Test(arguments: [#"\ud800"#, #"\udc00"#, #"\ud800x"#, #"\ud800\n"#, #"\ud800\ud800"#, #"\ud800\u0041"#])
  func loneSurrogates(escape: String) {
    expectFailure("\"a\(escape)\"", "a lone surrogate", at: 2)
  }

  @Test(
    arguments: [
      [0x80], [0xC3], [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF],
      [0xF0, 0x9F, 0x98], [0xE2, 0x82, 0x41],
    ] as [[UInt8]]) func invalidUTF8(bytes: [UInt8])
  {
    expectFailure([0x5B, 0x22] + bytes + [0x22, 0x5D], "the string is not UTF-8", at: 1)
    // Behind an escape a string is read by another loop.
    expectFailure([0x22, 0x5C, 0x6E] + bytes + [0x22], "the string is not UTF-8", at: 0)
    expectFailure([0x7B, 0x22] + bytes + [0x22, 0x3A, 0x31, 0x7D], "the string is not UTF-8", at: 1)
  }

  @Test func everyTruncationFails() throws {
    let text = """
      {"é\\n\\u00e9": [-1.5e+10, true, false, null, {"x": "\\ud83d\\ude00\u{1F600}"}, 12], "b": {"c": []}}
      """
    let bytes = Array(text.utf8)
    #expect(throws: Never.self) { try JSON.parse(bytes) }
    for count in bytes.indices {
      let error = #expect(throws: JSONSyntaxError.self) { try JSON.parse(Array(bytes[..<count])) }
      #expect((0...count).contains(error?.offset ?? -1))
    }
  }

  @Test func everyChangedByteGivesAValueOrAnErrorInside() {
    let bytes = Array("{\"é\\u00e9\": [-1.5e+10, true, null, {\"x\": \"\\ud83d\\ude00\"}]}".utf8)
    for index in bytes.indices {
      for value in UInt8.min...UInt8.max {
        var changed = bytes
        changed[index] = value
        do {
          _ = try JSON.parse(changed)
        } catch {
          #expect((0...bytes.count).contains(error.offset))
        }
      }
    }
  }

  @Test func namesTheFileAndTheByte() throws {
    let directory = try TemporaryDirectory()
    try directory.write("{\"a\": }", to: "bad.json")
    let path = directory("bad.json")
    let error = ErrataError(.damagedInput, "\(path): not valid JSON at byte 6: a value is expected")
    #expect(throws: error) { try JSON.parse(contentsOf: path) }
    try directory.write("", to: "empty.json")
    let empty = directory("empty.json")
    let emptyError = ErrataError(
      .damagedInput, "\(empty): not valid JSON at byte 0: the text ends where a value is expected")
    #expect(throws: emptyError) { try JSON.parse(contentsOf: empty) }
  }
}
