import CZstd
import Foundation
import Tensors
import Testing

@testable import Tokenization

/// A tokenizer of Fixtures/ with what `tokenizers` makes of hard strings (see make_fixtures.py).
enum Fixture: String, CaseIterable {
  case gpt2, digits, llama3, qwen2, neox, llama2, mistral, gemma, metaspace

  static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path

  var path: String { "\(Self.directory)/\(rawValue).tokenizer.json" }

  func tokenizer() throws -> Tokenizer { try Tokenizer(contentsOf: path) }

  func items() throws -> [ExpectedItem] {
    try #require(JSON.parse(contentsOf: "\(Self.directory)/\(rawValue).expected.json").arrayValue)
      .map { try ExpectedItem($0) }
  }

  /// Thousands of random strings that all fixtures share.
  static func randomStrings() throws -> [String] {
    try elements(of: "random_strings").map { try #require($0.stringValue) }
  }

  /// Halves of the random strings, put together in new ways in every run.
  static func recombinedStrings(_ count: Int) throws -> [String] {
    let known = try randomStrings()
    return (0..<count).map { _ in
      let (left, right) = (known.randomElement()!.unicodeScalars, known.randomElement()!.unicodeScalars)
      return String(left.prefix(left.count / 2)) + String(right.suffix(right.count / 2))
    }
  }

  /// For each random string its ids, and what they decode to where that is not the string.
  func randomExpectations() throws -> [(ids: [Int32], decoded: String?)] {
    try Self.elements(of: "\(rawValue).random").map { item in
      let parts = try #require(item.arrayValue)
      return (try #require(parts[0].arrayValue).map { Int32(try #require($0.integerValue)) }, parts[1].stringValue)
    }
  }

  private static func elements(of name: String) throws -> [JSON] {
    let compressed = try Data(contentsOf: URL(filePath: "\(directory)/\(name).json.zst"))
    let text = compressed.withUnsafeBytes { source in
      [UInt8](unsafeUninitializedCapacity: Int(ZSTD_getFrameContentSize(source.baseAddress, source.count))) {
        $1 = ZSTD_decompress($0.baseAddress, $0.count, source.baseAddress, source.count)
      }
    }
    return try #require(JSON.parse(text).arrayValue)
  }
}

struct ExpectedItem {
  let text: String
  let ids: [Int32]
  let offsets: [Int]
  let withSpecial: [Int32]
  let decoded: String
  let decodedWithoutSpecial: String

  init(_ json: JSON) throws {
    func numbers(_ key: ByteString) throws -> [Int] {
      try #require(json[key]?.arrayValue).map { try #require($0.integerValue) }
    }
    text = try #require(json["text"]?.stringValue)
    ids = try numbers("ids").map { Int32($0) }
    offsets = try numbers("offsets")
    withSpecial = try numbers("withSpecial").map { Int32($0) }
    decoded = try #require(json["decoded"]?.stringValue)
    decodedWithoutSpecial = try #require(json["decodedWithoutSpecial"]?.stringValue)
  }
}

/// The range as the reference has it: of whole characters.
func widened(_ range: Range<Int>, in bytes: [UInt8]) -> Range<Int> {
  var (start, end) = (range.lowerBound, range.upperBound)
  while start < bytes.count, bytes[start] & 0xC0 == 0x80 { start -= 1 }
  while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
  return start..<end
}

/// `==` on strings would let canonically equivalent ones pass.
func expectSameBytes(_ found: String, _ expected: String, _ text: String) {
  #expect(Array(found.utf8) == Array(expected.utf8), "\(text.debugDescription)")
}
