import Foundation
import Tensors
import TestSupport
import Testing
import Tokenization

@testable import KnowledgeEditing

@Suite struct CorpusTests {
  private let directory: TemporaryDirectory
  private let tokenizer: Tokenizer

  init() throws {
    directory = try TemporaryDirectory()
    // One that puts a space before every text: documents can be told from continuations.
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../TokenizationTests/Fixtures").standardizedFileURL.path
    tokenizer = try Tokenizer(contentsOf: "\(fixtures)/llama2.tokenizer.json")
  }

  private func tokens(_ names: [String], field: String? = nil) throws -> [Int32] {
    let corpus = try Corpus(paths: names.map { directory($0) }, field: field)
    return try CorpusTokens(corpus: corpus, tokenizer: tokenizer, sequenceLength: 1).flatMap { try $0.get() }
  }

  @Test func everyFileAndEveryLineIsADocument() throws {
    try directory.write("one two\n", to: "a.txt")
    try directory.write("three", to: "b.txt")
    try directory.write("{\"text\": \"four\"}\n \r\n{\"n\": 1, \"text\": \"five\\nsix\"}", to: "c.jsonl")
    let documents = ["one two\n", "three", "four", "five\nsix"]
    #expect(try tokens(["a.txt", "b.txt", "c.jsonl"]) == documents.flatMap { try tokenizer.encode($0) })
    // Not what they are together.
    #expect(try tokens(["a.txt", "b.txt", "c.jsonl"]) != tokenizer.encode(documents.joined()))
  }

  @Test func aLongTextIsOneDocument() throws {
    let text = String(repeating: "All work and no play.\n", count: 8000)
    try directory.write(text, to: "long.txt")
    #expect(try tokens(["long.txt"]) == tokenizer.encode(text))
  }

  @Test func readsTheFieldThatIsNamed() throws {
    try directory.write("{\"text\": \"no\", \"body\": \"yes\"}\n", to: "a.jsonl")
    #expect(try tokens(["a.jsonl"], field: "body") == tokenizer.encode("yes"))
  }

  @Test func namesTheLine() throws {
    try directory.write("{\"text\": \"a\"}\n\n{\"text\": 3}\n", to: "number.jsonl")
    #expect(throws: ErrataError.corpusLineWithoutText(directory("number.jsonl"), line: 3, field: "text")) {
      try tokens(["number.jsonl"])
    }
    try directory.write("{\"text\": \"a\"}\n{\"text\": \"b\"", to: "cut.jsonl")
    do {
      _ = try tokens(["cut.jsonl"])
      Issue.record("no error")
    } catch let error as ErrataError {
      #expect(error.kind == .damagedInput)
      #expect(error.message.hasPrefix("\(directory("cut.jsonl")): line 2 is not valid JSON: "))
    }
    // Behind the first piece of the file.
    let bytes = Array(String(repeating: "0123456789\n", count: 10_000).utf8) + [0xFF, 0x0A]
    try Data(bytes).write(to: URL(filePath: directory("bytes.txt")))
    #expect(throws: ErrataError.corpusNotText(directory("bytes.txt"), line: 10_001)) { try tokens(["bytes.txt"]) }
  }

  @Test func refusesWhatWouldCountTwice() throws {
    try directory.write("a", to: "a.txt")
    #expect(throws: ErrataError.textRepeated(directory("a.txt"))) { try tokens(["a.txt", "a.txt"]) }
    #expect(throws: ErrataError.fieldWithoutJSONLines()) { try tokens(["a.txt"], field: "text") }
  }

  @Test func theDigestSaysWhatWasRead() throws {
    try directory.write("a", to: "a.txt")
    try directory.write("b", to: "b.txt")
    try directory.write("{\"text\": \"a\", \"body\": \"b\"}", to: "c.jsonl")
    func digest(_ names: [String], _ field: String? = nil) throws -> Digest {
      try Corpus(paths: names.map { directory($0) }, field: field).digest
    }
    #expect(try digest(["a.txt"]) == Digest(of: Array("a".utf8)))
    let digests = try [
      digest(["a.txt"]), digest(["a.txt", "b.txt"]), digest(["b.txt", "a.txt"]), digest(["c.jsonl"]),
      digest(["c.jsonl"], "body"),
    ]
    #expect(Set(digests).count == digests.count)
    #expect(try digest(["c.jsonl"], "text") == digest(["c.jsonl"]))
  }
}
