import Foundation
import Tensors
import Testing

@testable import Tokenizers

@Suite struct RandomStringTests {
  /// Thousands of strings; what the reference made of them is in Fixtures/.
  @Test(arguments: Fixture.allCases)
  func idsAndTextAreThoseOfTheReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let strings = try Fixture.randomStrings()
    let expectations = try fixture.randomExpectations()
    #expect(strings.count == 2500)
    try #require(strings.count == expectations.count)
    for (string, (ids, decoded)) in zip(strings, expectations) {
      #expect(tokenizer.encode(string) == ids, "\(string.debugDescription)")
      expectSameBytes(tokenizer.decode(ids), decoded ?? string, string)
    }
  }

  /// The same against the installed reference, with new strings in every run.
  @Test(
    .enabled(if: LiveWitness.isInstalled, "needs the Python package tokenizers in .venv, which 'make test' makes"),
    arguments: Fixture.allCases)
  func idsAndTextAreThoseOfTheInstalledReference(_ fixture: Fixture) throws {
    let tokenizer = try fixture.tokenizer()
    let known = try Fixture.randomStrings()
    // Halves of known strings, put together in new ways.
    let strings = (0..<2000).map { _ in
      let (left, right) = (known.randomElement()!.unicodeScalars, known.randomElement()!.unicodeScalars)
      return String(left.prefix(left.count / 2)) + String(right.suffix(right.count / 2))
    }
    let answers = try LiveWitness.answers(tokenizer: fixture.path, strings: strings)
    try #require(answers.count == strings.count)
    for (string, (ids, decoded)) in zip(strings, answers) {
      #expect(tokenizer.encode(string) == ids, "\(string.debugDescription)")
      expectSameBytes(tokenizer.decode(ids), decoded, string)
    }
  }
}

/// The Python package `tokenizers`, run as another process.
private enum LiveWitness {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardizedFileURL
  private static let python = root.appending(path: ".venv/bin/python")
  private static let script = root.appending(path: "Tests/TokenizersTests/witness.py").path

  static let isInstalled =
    FileManager.default.isExecutableFile(atPath: python.path)
    && (try? run(["-c", "import tokenizers"], input: "")) != nil

  /// The ids of each string, and what they decode to.
  static func answers(tokenizer: String, strings: [String]) throws -> [(ids: [Int32], decoded: String)] {
    let input = JSON.array(strings.map { JSON($0) }).serialized()
    let output = try run([script, tokenizer], input: String(decoding: input, as: UTF8.self))
    let answers = try #require(JSON.parse(Array(output)).arrayValue)
    return try answers.map {
      let parts = try #require($0.arrayValue)
      return (
        try #require(parts[0].arrayValue).map { Int32(try #require($0.integerValue)) },
        try #require(parts[1].stringValue)
      )
    }
  }

  private static func run(_ arguments: [String], input: String) throws -> Data {
    let folder = FileManager.default.temporaryDirectory.appending(path: "errata-witness-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (inputFile, outputFile) = (folder.appending(path: "input"), folder.appending(path: "output"))
    try Data(input.utf8).write(to: inputFile)
    try Data().write(to: outputFile)
    let process = Process()
    process.executableURL = python
    process.arguments = arguments
    process.standardInput = try FileHandle(forReadingFrom: inputFile)
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return try Data(contentsOf: outputFile)
  }
}
