import Foundation
import Testing

/// A page of the Spec, and its code blocks that tests read.
struct SpecPage {
  let text: String

  /// - Parameter name: `wpatch.md`.
  init(_ name: String) throws {
    text = try String(contentsOfFile: SpecExample.packageRoot + "/Spec/" + name, encoding: .utf8)
  }

  /// The code blocks under the comment `<!-- check: what -->`, at least one.
  func blocks(_ what: String) throws -> [String] {
    let blocks = text.components(separatedBy: "<!-- check: \(what) -->\n").dropFirst().map { rest in
      let lines = rest.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
      return lines.prefix { !$0.hasPrefix("```") }.joined(separator: "\n")
    }
    try #require(!blocks.isEmpty, "\(what)")
    return blocks
  }

  /// The first of these blocks.
  func block(_ what: String) throws -> String { try blocks(what)[0] }

  /// The offsets and bytes of the lines `offset: bytes   remark` of dumps.
  func dump(_ what: String) throws -> [(offset: Int, bytes: [UInt8])] {
    try blocks(what).joined(separator: "\n").split(separator: "\n").map { line in
      let parts = line.components(separatedBy: ": ")
      let digits = parts[1].components(separatedBy: "  ")[0].split(separator: " ").joined()
      return (try #require(Int(parts[0], radix: 16), "\(line)"), hexadecimal(digits))
    }
  }

  /// Compares the lines of dumps with `bytes`.
  func expectDumps(_ what: String, of bytes: [UInt8]) throws {
    for line in try dump(what) {
      #expect(
        Array(bytes.dropFirst(line.offset).prefix(line.bytes.count)) == line.bytes,
        "\(what), \(String(line.offset, radix: 16))")
    }
  }

  /// The lines of a table without its heading, split at white space.
  func rows(_ what: String) throws -> [[String]] {
    try block(what).split(separator: "\n").dropFirst().map { $0.split(separator: " ").map(String.init) }
  }

  /// The rows of the table of fields under the line that begins with `name`, without its heading.
  func table(_ name: String) throws -> [[String]] {
    let lines = text.components(separatedBy: "\n")
    let titles = ["\(name):", "\(name) (", "The \(name):"]
    let title = try #require(
      lines.indices.first { index in
        titles.contains { lines[index].hasPrefix($0) }
          && lines[index...].prefix(5).contains { $0.hasPrefix("| field | type |") }
      }, "\(name)")
    let heading = try #require(lines[title...].firstIndex { $0.hasPrefix("| field | type |") })
    return lines[(heading + 2)...].prefix { $0.hasPrefix("|") }.map { line in
      line.replacing("\\|", with: "/").split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }
}
