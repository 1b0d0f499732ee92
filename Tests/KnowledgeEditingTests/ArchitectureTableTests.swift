import Foundation
import Testing

@testable import KnowledgeEditing
@testable import Transformer

/// The README says of families and presets what the code's tables say.
@Suite struct ArchitectureTableTests {
  private let readme: [String]

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
      .components(separatedBy: "\n")
  }

  private func expect(_ table: [String]) {
    let start = readme.firstIndex(of: table[0])
    #expect(start.map { Array(readme[$0..<min($0 + table.count, readme.count)]) } == table)
    // And no row more.
    #expect(start.map { readme[$0 + table.count].hasPrefix("|") } == false)
  }

  @Test func families() {
    expect(Family.table)
    #expect(Set(Family.all.map(\.modelType)).count == Family.all.count)
  }

  @Test func presets() {
    expect(["| preset | source |", "|---|---|"] + Preset.all.map { "| `\($0.name)` | \($0.source) |" })
  }
}
