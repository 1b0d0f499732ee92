import Foundation
import Testing

/// The repository's samples.
enum Samples {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let folder = root + "/SamplePatches"
  static let patches = ["eiffel-tower", "five-facts", "twenty-facts"]
}

/// A temporary folder in which `samples` is a link to the repository's samples, so that messages name short paths.
final class Scratch: Sendable {
  let path = NSTemporaryDirectory() + "errata-tools-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(atPath: self("samples"), withDestinationPath: Samples.folder)
  }

  deinit {
    chmod(path, 0o755)
    try? FileManager.default.removeItem(atPath: path)
  }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self(name)) }

  func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: self(name)))) }

  func write(_ bytes: some Sequence<UInt8>, to name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
  }

  func write(_ text: String, to name: String) throws { try write(text.utf8, to: name) }

  /// Copies the sample model, to be spoiled.
  func copyModel(to name: String = "model") throws {
    let folder = URL(fileURLWithPath: self(name)).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: Samples.folder + "/model", toPath: self(name))
  }

  func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: self(name)) }

  /// The names in the folder, hidden ones too, sorted.
  func names(in folder: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: self(folder)).sorted()
  }

  /// Runs `errata` here.
  func errata(
    _ arguments: String..., environment: [String: String] = [:], interruptWhen: ((Int32) -> Bool)? = nil
  ) throws -> ToolResult {
    try Tool.errata(arguments, in: path, environment: environment, interruptWhen: interruptWhen)
  }

  /// Runs `errata` here and expects it to be done.
  @discardableResult
  func succeed(
    _ arguments: String..., environment: [String: String] = [:], at location: SourceLocation = #_sourceLocation
  ) throws -> ToolResult {
    try succeed(arguments, environment: environment, at: location)
  }

  @discardableResult
  func succeed(
    _ arguments: [String], environment: [String: String] = [:], at location: SourceLocation = #_sourceLocation
  ) throws -> ToolResult {
    let result = try Tool.errata(arguments, in: path, environment: environment)
    try #require(
      result.exitCode == 0, "errata \(arguments.joined(separator: " ")): \(result.errors)", sourceLocation: location)
    return result
  }

  /// Runs `errata` here and expects one line on standard error, an exit code, nothing on standard output, and no file
  /// made.
  func fail(
    _ arguments: String..., exitCode: Int32, message: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    try fail(arguments, exitCode: exitCode, message: message, at: location)
  }

  func fail(
    _ arguments: [String], exitCode: Int32, message: String, at location: SourceLocation = #_sourceLocation
  ) throws {
    let before = try names()
    let result = try Tool.errata(arguments, in: path)
    #expect(result.errors == message + "\n", sourceLocation: location)
    #expect(result.exitCode == exitCode, sourceLocation: location)
    if arguments.contains("--json") {
      // The same as data, and no answer.
      let error = try result.json["error"]
      #expect(error?["exit_code"] == .integer(Int(exitCode)), sourceLocation: location)
      #expect(error?["message"]?.stringValue.map(message.hasSuffix) == true, sourceLocation: location)
    } else {
      #expect(result.output == "", sourceLocation: location)
    }
    #expect(try names() == before, sourceLocation: location)
  }
}
