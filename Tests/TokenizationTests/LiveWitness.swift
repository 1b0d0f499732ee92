import Foundation
import Tensors
import Testing

/// The Python package `tokenizers`, run as another process.
enum LiveWitness {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardizedFileURL
  private static let python = root.appending(path: ".venv/bin/python")
  private static let folder = root.appending(path: "Tests/TokenizationTests")
  private static let script = folder.appending(path: "witness.py").path
  static let installation: Comment = "needs the Python package tokenizers in .venv, which 'make test' makes"

  /// What the reference makes of a string.
  struct Answer {
    let ids: [Int32]
    let decoded: String
    /// Start and end of each token, start and end, ... in UTF-8 bytes.
    let offsets: [Int]
  }

  static let isInstalled =
    FileManager.default.isExecutableFile(atPath: python.path)
    && (try? run(["-c", "import tokenizers"], input: "")) != nil

  static func answers(tokenizer: String, strings: [String]) throws -> [Answer] {
    let input = JSON.array(strings.map { JSON($0) }).serialized()
    let output = try run([script, tokenizer], input: String(decoding: input, as: UTF8.self))
    let answers = try #require(JSON.parse(Array(output)).arrayValue)
    return try answers.map {
      let parts = try #require($0.arrayValue)
      func numbers(_ part: JSON) throws -> [Int] {
        try #require(part.arrayValue).map { try #require($0.integerValue) }
      }
      return Answer(
        ids: try numbers(parts[0]).map { Int32($0) }, decoded: try #require(parts[1].stringValue),
        offsets: try numbers(parts[2]))
    }
  }

  /// The matches of a regular expression.
  static func matches(of pattern: String, in text: String) throws -> [String] {
    let input = JSON.array([JSON(text)]).serialized()
    let output = try run([script, "--matches", pattern], input: String(decoding: input, as: UTF8.self))
    return try #require(JSON.parse(Array(output)).arrayValue).map { try #require($0.stringValue) }
  }

  /// Small tokenizers of every kind, trained anew: the path of each by its name.
  static func syntheticTokenizers() throws -> [String: String] {
    let made = FileManager.default.temporaryDirectory.appending(path: "errata-tokenizers-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
    _ = try run([folder.appending(path: "synthetic_tokenizers.py").path, made.path], input: "")
    return try tokenizers(in: made.path)
  }

  /// The files NAME.json of a folder.
  static func tokenizers(in folder: String) throws -> [String: String] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }
    return Dictionary(uniqueKeysWithValues: names.map { (String($0.dropLast(5)), "\(folder)/\($0)") })
  }

  /// How many tokens `text` has, and the seconds that it takes to encode it.
  static func time(tokenizer: String, text path: String) throws -> (tokens: Int, seconds: Double) {
    let output = try JSON.parse(Array(run([script, tokenizer, "--time", path], input: "")))
    return (try #require(output["tokens"]?.integerValue), try #require(output["seconds"]?.doubleValue))
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
