import Foundation
import Tensors
import Testing

@testable import Tokenization

/// Where SmolLM2's files are, for the tests that need them: a directory from the environment, or the package's cache.
private let smolLM2Tokenizer: String? = {
  let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
  let directory =
    ProcessInfo.processInfo.environment["ERRATA_SMOLLM2"] ?? root.appending(path: ".cache/smollm2-135m").path
  let path = "\(directory)/tokenizer.json"
  return FileManager.default.fileExists(atPath: path) ? path : nil
}()

@Suite struct GoldenTests {
  /// The ids were made by `transformers` (see "note" in the file).
  @Test(
    .enabled(
      if: smolLM2Tokenizer != nil,
      "needs SmolLM2's tokenizer.json in the directory ERRATA_SMOLLM2 or in .cache/smollm2-135m"))
  func smolLM2() throws {
    let tokenizer = try Tokenizer(contentsOf: #require(smolLM2Tokenizer))
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden/smollm2_tokenizer.json")
    let items = try #require(JSON.parse(contentsOf: file.standardizedFileURL.path)["items"]?.arrayValue)
    #expect(items.count == 300)
    #expect(tokenizer.vocabularySize == 49152)
    for item in items {
      let text = try #require(item["text"]?.stringValue)
      let ids = try #require(item["ids"]?.arrayValue).map { try #require($0.integerValue) }
      #expect(try tokenizer.encode(text).map { Int($0) } == ids, "\(text.debugDescription)")
      try expectSameBytes(tokenizer.decode(ids.map { Int32($0) }), #require(item["decoded"]?.stringValue), text)
    }
  }
}
