import Foundation
import Tensors
import Testing

/// The Python package `tokenizers`, run as another process.
enum LiveWitness {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardizedFileURL
  private static let python = root.appending(path: ".venv/bin/python")
  private static let script = root.appending(path: "Tests/TokenizationTests/witness.py").path

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
