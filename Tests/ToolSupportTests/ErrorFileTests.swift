import Foundation
import Tensors
import Testing

@testable import ToolSupport

/// Where errors are made, and what libraries say in them.
@Suite struct ErrorFileTests {
  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Sources")

  /// The Swift files, by their paths in `Sources`.
  private static let files: [(path: String, text: String)] = {
    let names = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
    return names.filter { $0.hasSuffix(".swift") }.sorted().map { name in
      (name, (try? String(contentsOf: sources.appendingPathComponent(name), encoding: .utf8)) ?? "")
    }
  }()

  private static let tools = files.map(\.path).compactMap { $0.wholeMatch(of: #/errata-([a-z]+)/Main\.swift/#)?.1 }

  private static func isErrorFile(_ path: String) -> Bool { path.hasSuffix("Errors.swift") }

  @Test func errorsAreMadeInErrorFiles() {
    #expect(Self.files.count > 300 && Self.files.filter { Self.isErrorFile($0.path) }.count > 15)
    let type = "Tensors/ErrataError.swift"
    for (path, text) in Self.files where !Self.isErrorFile(path) && path != type {
      #expect(!text.contains("ErrataError("), "\(path) makes an error of its own")
    }
  }

  @Test func librariesKnowNoOptionsAndNoTools() throws {
    #expect(Self.tools.count > 10)
    let option = #/(^|[ '("])--?[a-z]/#
    let tool = try Regex("errata (\(Self.tools.joined(separator: "|")))\\b")
    let errorsOfLibraries = Self.files.filter {
      (Self.isErrorFile($0.path) || $0.path == "Tensors/Remedy.swift") && !$0.path.hasPrefix("errata")
        && !$0.path.hasPrefix("ToolSupport")
    }
    #expect(errorsOfLibraries.count > 10)
    for (path, text) in errorsOfLibraries {
      for literal in Self.literals(text) {
        #expect(literal.firstMatch(of: option) == nil, "\(path) names an option: \(literal)")
        #expect(literal.firstMatch(of: tool) == nil, "\(path) names a tool: \(literal)")
      }
    }
  }

  /// What the lint above looks at: texts between quotation marks, without comments.
  @Test func findsLiterals() {
    #expect(Self.literals("a(\"b --c\") // \"d\"\n/// \"e\"\nf(\"g \\\"h\\\" i\")") == ["b --c", "g \\\"h\\\" i"])
  }

  private static func literals(_ source: String) -> [String] {
    source.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.flatMap { line in
      line.replacing(#/ // .*/#, with: "").matches(of: #/"((?:[^"\\]|\\.)*)"/#).map { String($0.1) }
    }
  }
}
