import Foundation
import Tensors
import Testing

extension ToolTests {
  /// `errata eval` beyond the scores of facts.
  @Suite struct Evaluations {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let films = (0..<6).map { #"{"sentence": "film \#($0)", "label": \#($0 % 2)}"# }
      .joined(separator: "\n")
    private static let pairs = (0..<6)
      .map { #"{"sentence1": "It rains \#($0).", "sentence2": "It rains.", "label": \#($0 % 2)}"# }
      .joined(separator: "\n")

    private func edited() throws {
      try scratch.succeed("apply", "samples/model", "samples/twenty-facts.wpatch", "-o", "edited", "--quiet")
    }

    /// All parts at once, in every form of output.
    @Test func measuresEverything() throws {
      try edited()
      try FileManager.default.createDirectory(atPath: scratch("tasks"), withIntermediateDirectories: true)
      try scratch.write(Self.films, to: "tasks/sst2.jsonl")
      try scratch.write(Self.pairs, to: "tasks/rte.jsonl")
      try scratch.write(#"{"landmark_country": {"Italy": ["Rome is the capital of Italy."]}}"#, to: "texts.json")
      let arguments = [
        "eval", "samples/model", "edited", "--facts", "samples/facts.json", "--records", "0-1", "--generate",
        "--references", "texts.json", "--perplexity", "samples/corpus.txt", "--perplexity-tokens", "600", "--window",
        "64", "--downstream", "tasks", "--shots", "2", "--csv", "out.csv", "--cases", "cases.jsonl", "--quiet",
      ]
      let table = try scratch.succeed(arguments).output
      for line in [
        "facts, 2 records", "generation, 2 records", "perplexity, 599 tokens", "sst2, 4 questions, 2 examples",
        "rte, 4 questions, 2 examples",
      ] {
        #expect(table.contains("\n\(line)\n"), "\(line)")
      }
      let json = try scratch.succeed(arguments + ["--json"]).json
      let results = try #require(json.arrayValue)
      #expect(results.map { $0["partial"] } == [false, false])
      let sections = try results.map { try #require($0["sections"]?.arrayValue) }
      #expect(sections[0].map { $0["section"] } == ["facts", "generation", "perplexity", "sst2", "rte"])
      func names(_ section: JSON) -> [String] { section["metrics"]!.arrayValue!.map { $0["metric"]!.stringValue! } }
      #expect(names(sections[0][1]).contains("RS"))
      #expect(!names(sections[0][0]).contains("neighborhood kept"))
      #expect(names(sections[1][0]).contains("neighborhood kept"))
      #expect(sections.joined().allSatisfy { $0["seconds"]!.doubleValue! > 0 })
      let cases = try #require(results[1]["cases"]?.arrayValue)
      #expect(cases[0]["texts"]?.arrayValue?.count == 3)
      #expect(cases[0]["rewrite"]?.arrayValue?[0]["match"] == "exact")

      let lines = String(decoding: try scratch.bytes("out.csv"), as: UTF8.self).split(separator: "\n")
      #expect(lines[0] == "model,section,metric,value,count,standard_error")
      #expect(lines.count == 1 + sections.joined().reduce(0) { $0 + names($1).count })
      let rewrite = try #require(lines.first { $0.hasPrefix("edited,facts,ES,") })
      #expect(rewrite == "edited,facts,ES,100.0,2,0.0")
      let records = String(decoding: try scratch.bytes("cases.jsonl"), as: UTF8.self).split(separator: "\n")
      #expect(records.count == 2 * (2 + 4 + 4))
      let last = try JSON.parse(Array(records.last!.utf8))
      #expect(last["section"] == "rte")
      #expect(last["model"] == "edited")
      #expect(last["case"]?["probability_positive"]?.doubleValue != nil)
    }

    @Test func theSameSeedGivesTheSameResult() throws {
      func run(_ seed: String) throws -> String {
        try scratch.succeed(
          "eval", "samples/model", "--facts", "samples/facts.json", "--records", "0-2", "--generate", "--seed", seed,
          "--csv", "-", "--quiet"
        ).output
      }
      let first = try run("1")
      #expect(first == (try run("1")))
      #expect(first != (try run("2")))
    }

    @Test func perplexityIsThatOfEverySpan() throws {
      func measure(_ options: String...) throws -> [JSON] {
        let result = try scratch.succeed(
          ["eval", "samples/model", "--perplexity", "samples/corpus.txt", "--perplexity-tokens", "300", "--json"]
            + options)
        return try #require(try result.json["sections"]?.arrayValue?[0]["metrics"]?.arrayValue)
      }
      let short = try measure("--window", "16")
      let long = try measure("--window", "256")
      #expect(short[0]["count"] == 299)
      #expect(short[0]["value"] != long[0]["value"])
      #expect(try measure("--window", "100000").map { $0["value"] } == long.map { $0["value"] })
    }

    @Test func usage() throws {
      func fail(_ arguments: String..., message: String) throws {
        try scratch.fail(
          ["eval", "samples/model"] + arguments, exitCode: 2,
          message: "errata eval: \(message) (see 'errata eval --help')")
      }
      try fail(
        message:
          "give --facts, --perplexity or --downstream: what the checkpoints are scored on; no ledger here names facts")
      let text = ["--perplexity", "samples/corpus.txt"]
      try fail("--perplexity", text[1], "--records", "1", message: "--records goes with --facts only")
      try fail("--perplexity", text[1], "--generate", message: "--generate goes with --facts or --downstream only")
      try fail(
        "--facts", "samples/facts.json", "--references", "x",
        message: "--references goes with --facts and --generate only")
      try fail("--facts", "samples/facts.json", "--stride", "3", message: "--stride goes with --perplexity only")
      try fail("--facts", "samples/facts.json", "--shots", "3", message: "--shots goes with --downstream only")
      try fail("--perplexity", text[1], "--window", "1", message: "--window must be 2 or more")
      try fail("--perplexity", text[1], "--window", "8", "--stride", "9", message: "--stride must not exceed --window")
      try fail("--perplexity", text[1], "--stride", "0", message: "--stride must be positive")
      try fail(
        "--perplexity", text[1], "--perplexity-tokens", "1", message: "--perplexity-tokens must be 2 or more")
      try fail("--downstream", "x", "--limit", "0", message: "--limit must be positive")
      try fail("--perplexity", text[1], "--json", "--csv", "-", message: "--json and --csv - exclude each other")
    }

    @Test func badInputs() throws {
      func fail(_ arguments: String..., exitCode: Int32, message: String) throws {
        try scratch.fail(
          ["eval", "samples/model"] + arguments, exitCode: exitCode, message: "errata eval: \(message)")
      }
      try scratch.write(#"{"P1": {"Italy": ["text"]}}"#, to: "texts.json")
      try fail(
        "--facts", "samples/facts.json", "--generate", "--references", "texts.json", exitCode: 1,
        message: "texts.json: has no texts for the relation and the new target of any of the facts; give another file")
      try fail(
        "--perplexity", "none.txt", exitCode: 1, message: "none.txt: cannot open: no such file or directory")
      try fail(
        "--downstream", "none.jsonl", exitCode: 2,
        message: "none.jsonl: no task is known by this name; a file is named for its task: sst2.jsonl, mrpc.jsonl, "
          + "cola.jsonl, rte.jsonl, nli.jsonl")
      // Said before the first checkpoint is scored.
      try scratch.fail(
        "eval", "samples/model", "nowhere", "--facts", "samples/facts.json", exitCode: 1,
        message: "errata eval: nowhere: no such file or directory; give a checkpoint directory or a .safetensors file")
      try scratch.write("precious", to: "notes.txt")
      try fail(
        "--facts", "samples/facts.json", "--csv", "notes.txt", exitCode: 1,
        message: "notes.txt: is there already, and not what this tool writes; name another output")
    }

    @Test func anInterruptedRunShowsWhatWasMeasured() throws {
      for _ in 0..<10 {
        let result = try scratch.errata(
          "eval", "samples/model", "samples/model", "--facts", "samples/facts.json", "--generate", "--perplexity",
          "samples/corpus.txt", "--json", "--quiet", interruptWhen: Tool.catchesInterrupts)
        // On a busy machine the signal can come when the work is done.
        if result.exitCode == 0 { continue }
        #expect(result.exitCode == 1)
        #expect(
          result.errors
            == "errata eval: interrupted; what was measured before is above, and marked as partial\n")
        let results = try #require(try result.json.arrayValue)
        #expect(results.last.map { $0["partial"] == true } ?? true)
        return
      }
      Issue.record("the run could not be interrupted")
    }
  }
}
