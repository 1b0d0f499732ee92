import Foundation
import Testing

extension ToolTests {
  /// Facts that are not in CounterFact's schema, from the file to the patch.
  @Suite struct FactSchemas {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func edit(_ facts: String) throws -> ToolResult {
      try scratch.succeed(
        "edit", "samples/model", "--facts", facts, "--stats", "samples/stats.safetensors", "-o", "o.wpatch", "--json",
        "--quiet")
    }

    @Test func tablesAndLines() throws {
      try scratch.write("prompt,target\nThe mother tongue of {Leo Tolstoy} is,French\n", to: "facts.csv")
      let table = try edit("facts.csv").json
      #expect(table["facts"]?.arrayValue?.first?["subject"] == "Leo Tolstoy")
      try scratch.remove("o.wpatch")
      try scratch.write(
        #"{"prompt": "The mother tongue of Leo Tolstoy is", "subject": "Leo Tolstoy", "target": "French"}"#,
        to: "facts.jsonl")
      let lines = try edit("facts.jsonl").json
      #expect(lines["facts"]?.arrayValue?.first?["fact"] == table["facts"]?.arrayValue?.first?["fact"])
    }

    /// The answer of a zsRE record's other question is compared with the new target.
    @Test func zsREIsScored() throws {
      try scratch.write(
        #"[{"subject": "Leo Tolstoy", "src": "The mother tongue of Leo Tolstoy is", "rephrase": "Leo Tolstoy speaks", "#
          + #""alt": "French", "answers": ["Russian"], "loc": "nq question: The mother tongue of Alexander Pushkin is", "#
          + #""loc_ans": "Russian"}]"#,
        to: "zsre.json")
      _ = try edit("zsre.json")
      try scratch.succeed("apply", "samples/model", "o.wpatch", "-o", "edited", "--quiet")
      let results = try scratch.succeed("eval", "samples/model", "edited", "--facts", "zsre.json", "--json", "--quiet")
      let summaries = try #require(try results.json.arrayValue).map { $0["summary"] }
      #expect(summaries.map { $0?["ES"]?.doubleValue } == [0, 100])
      let cases = try results.json.arrayValue?.first?["cases"]?.arrayValue?.first
      #expect(cases?["neighborhood"]?.arrayValue?.count == 1)
      #expect(cases?["neighborhood"]?.arrayValue?.first?["probability_true"]?.doubleValue != nil)
    }
  }
}
