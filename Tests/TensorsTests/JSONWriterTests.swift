import Tensors
import TestSupport
import Testing

@Suite struct JSONWriterTests {
  @Test func sortsKeysBytewise() {
    let value: JSON = ["b": 1, "a": ["z": .null, "Z": true], "": 0, "\u{E9}": 2, "e\u{301}": 3, "ab": []]
    let text = "{\"\":0,\"a\":{\"Z\":true,\"z\":null},\"ab\":[],\"b\":1,\"e\u{301}\":3,\"\u{E9}\":2}"
    #expect(value.serialized() == Array(text.utf8))
  }

  @Test func orderOfMembersDoesNotMatter() {
    let forward: JSON = ["a": 1, "b": [["c": 2, "d": 3]]]
    let backward: JSON = ["b": [["d": 3, "c": 2]], "a": 1]
    #expect(forward == backward)
    #expect(forward.serialized() == backward.serialized())
  }

  @Test func escapesWhatItMustAndNothingElse() {
    let text = String(String.UnicodeScalarView((0..<0x80).map { Unicode.Scalar(UInt8($0)) })) + "/é\u{2028}\u{1F600}"
    var expected = "\""
    for code in 0..<0x20 {
      switch code {
      case 9: expected += "\\t"
      case 10: expected += "\\n"
      case 13: expected += "\\r"
      default: expected += "\\u00" + (code < 16 ? "0" : "1") + String(code % 16, radix: 16)
      }
    }
    expected +=
      " !\\\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\u{7F}"
    expected += "/é\u{2028}\u{1F600}\""
    #expect(JSON(text).serialized() == Array(expected.utf8))
  }

  /// In what people read, controls and what is not seen are escaped too; the value stays.
  @Test func escapesForPeople() throws {
    let text = "\u{1B}\u{9B}\u{7F}\u{202E}\u{200B}\u{FEFF}\u{E0041}\\u0041 \u{645}\u{200C}\u{62E} é\n"
    let value: JSON = [ByteString(text): [JSON(text)]]
    let shown = #"\u001b\u009b\u007f\u202e\u200b\ufeff\udb40\udc41\\u0041 "# + "\u{645}\u{200C}\u{62E} é\\n"
    #expect(value.prettyPrinted() == "{\n  \"\(shown)\": [\"\(shown)\"]\n}\n")
    #expect(try JSON.parse(Array(value.prettyPrinted().utf8)) == value)
  }

  @Test(arguments: [
    (0.0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (0.1, "0.1"), (1e100, "1e+100"), (-2.5e-7, "-2.5e-07"),
    (.leastNonzeroMagnitude, "5e-324"),
  ]) func doubles(value: Double, text: String) {
    #expect(JSON.double(value).serialized() == Array(text.utf8))
  }

  @Test func prettyTextKeepsOrderAndFlatArrays() {
    let value: JSON = [
      "b": 1, "a": [1, 2.5, "x"], "nested": [["k": .null], []], "empty": [:], "none": [],
    ]
    let expected = """
      {
        "b": 1,
        "a": [1, 2.5, "x"],
        "nested": [
          {
            "k": null
          },
          []
        ],
        "empty": {},
        "none": []
      }

      """
    #expect(value.prettyPrinted() == expected)
    #expect(JSON.integer(3).prettyPrinted() == "3\n")
  }

  @Test func randomValuesComeBack() throws {
    var random = SeededGenerator(seed: 1)
    for _ in 0..<2000 {
      let value = randomValue(depth: 5, using: &random)
      let bytes = value.serialized()
      let read = try JSON.parse(bytes)
      #expect(read == value)
      #expect(read.serialized() == bytes)
      #expect(try JSON.parse(Array(value.prettyPrinted().utf8)) == value)
    }
  }

  private func randomValue(depth: Int, using random: inout SeededGenerator) -> JSON {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .integer(Int(bitPattern: UInt(random.next() >> UInt64.random(in: 0..<64, using: &random))))
    case 3:
      let value = Double(bitPattern: random.next())
      return .double(value.isFinite ? value : 0.5)
    case 4, 5: return JSON(randomText(using: &random))
    case 6:
      return .array(
        (0..<Int.random(in: 0..<4, using: &random)).map { _ in randomValue(depth: depth - 1, using: &random) })
    default:
      var object = JSONObject()
      for _ in 0..<Int.random(in: 0..<4, using: &random) {
        object[ByteString(randomText(using: &random))] = randomValue(depth: depth - 1, using: &random)
      }
      return .object(object)
    }
  }

  private func randomText(using random: inout SeededGenerator) -> String {
    let ranges: [ClosedRange<UInt32>] = [0...0x1F, 0x20...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0x10FFFF]
    var scalars = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0..<6, using: &random) {
      scalars.append(Unicode.Scalar(UInt32.random(in: ranges.randomElement(using: &random)!, using: &random))!)
    }
    return String(scalars)
  }
}
