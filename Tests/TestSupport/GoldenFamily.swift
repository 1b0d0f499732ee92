import Foundation

/// A tiny random model of some family, and the numbers that Hugging Face transformers computed with it.
public struct GoldenFamily: Sendable, CustomStringConvertible {
  /// The folder's name.
  public let name: String
  public let path: String

  public var description: String { name }

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden").path

  /// Those of Tests/Golden/tiny.
  public static let tiny = folders(in: root + "/tiny")

  /// Those of Tests/Golden/families, and of what the environment variable ERRATA_TEST_FAMILIES names: such folders, or
  /// folders of them, separated by colons.
  public static let others = folders(in: root + "/families") + further

  public static let all = tiny + others

  public static func named(_ name: String) -> GoldenFamily { all.first { $0.name == name }! }

  private static let further: [GoldenFamily] = {
    let value = ProcessInfo.processInfo.environment["ERRATA_TEST_FAMILIES"] ?? ""
    return value.split(separator: ":").map(String.init).flatMap { path in
      isFamily(path)
        ? [GoldenFamily(name: URL(fileURLWithPath: path).lastPathComponent, path: path)] : folders(in: path)
    }
  }()

  private static func folders(in folder: String) -> [GoldenFamily] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    precondition(!names.isEmpty, "there are no models in \(folder)")
    return names.sorted().filter { isFamily("\(folder)/\($0)") }.map {
      GoldenFamily(name: $0, path: "\(folder)/\($0)")
    }
  }

  private static func isFamily(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/golden.json")
  }
}
