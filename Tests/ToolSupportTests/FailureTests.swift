import Foundation
import Tensors
import Testing

@testable import ToolSupport

/// The object that `--json` prints, against its description.
@Suite struct FailureTests {
  private static let description = try? String(
    contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Spec/errors.md"), encoding: .utf8)

  private func member(_ name: ByteString, of error: ErrataError) -> JSON? { error.json["error"]?[name] }

  @Test func isAsDescribed() throws {
    let text = try #require(Self.description)
    let rows = text.split(separator: "\n").compactMap { $0.wholeMatch(of: #/\| `(\w+)` \| (.*?) \|.*/#)?.output }
    let members = rows.filter { Int($0.2) == nil }.map { ByteString(String($0.1)) }
    #expect(ErrataError(.general, "x").json["error"]?.objectValue?.keys == members)
    let kinds = rows.filter { Int($0.2) != nil }.map { "\($0.1) \($0.2)" }
    #expect(ErrataError.Kind.allCases.map { "\($0.name) \($0.rawValue)" } == kinds)
  }

  /// The example, member by member.
  @Test func isTheExample() throws {
    let text = try #require(Self.description)
    let start = try #require(text.range(of: "```json\n")).upperBound
    let example = text[start...].prefix(upTo: try #require(text[start...].range(of: "```")).lowerBound)
    let error = ErrataError(
      .damagedInput, "fix.wpatch", "damaged: its bytes do not match its seal", remedy: "fetch it again")
    #expect(String(decoding: error.json.prettyPrinted().utf8, as: UTF8.self) == String(example))
  }

  @Test func hasThePartsThatThereAre() {
    let inner = ErrataError(
      .conflict, "w[0, 1]", at: "x", "overflows", cause: "it is large", outcome: "nothing was written",
      remedy: .leaveOutTensor)
    let error = inner.within(["p", "q"], on: "c")
    #expect(member("subject", of: error) == ["p", "q"] && member("place", of: error) == ["w[0, 1]", "x"])
    #expect(member("context", of: error) == "c" && member("cause", of: error) == "it is large")
    #expect(member("outcome", of: error) == "nothing was written")
    #expect(member("remedy", of: error) == "--common leaves it out")
    #expect(
      member("message", of: error)
        == "p and q on c: w[0, 1]: x: overflows: it is large; nothing was written; --common leaves it out")
    for name in ["context", "cause", "outcome", "remedy"] as [ByteString] {
      #expect(member(name, of: ErrataError(.general, "x")) == .null)
    }
  }
}
