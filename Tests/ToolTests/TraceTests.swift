import Foundation
import Tensors
import Testing

extension ToolTests {
  @Suite struct Trace {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let twenty = "samples/twenty-facts.wpatch"
    private static let edited = "The mother tongue of Leo Tolstoy is"
    private static let unrelated = "The first day of the week is"
    private static let tolstoy: JSON = "eb4d228eb8329ffb"

    private func trace(_ arguments: String...) throws -> [JSON] {
      try scratch.succeed(["trace"] + arguments + ["--json"]).answers
    }

    private func strongest(_ report: JSON) throws -> JSON { try #require(report["fired"]?.arrayValue?.first) }

    @Test func namesTheFactAtTheLastTokenOfItsSubject() throws {
      let reports = try trace("samples/model", Self.edited, Self.unrelated, "--patch", Self.twenty)
      let (fact, other) = (try strongest(reports[0]), try strongest(reports[1]))
      #expect(fact["fact"] == Self.tolstoy && fact["subject"] == "Leo Tolstoy" && fact["target_new"] == "French")
      #expect(fact["patch_name"] == "twenty-facts.wpatch")
      let tokens = try #require(reports[0]["tokens"]?.arrayValue?.map { $0["text"]?.stringValue ?? "" })
      let position = try #require(fact["position"]?.integerValue)
      #expect(tokens[...position].joined().hasSuffix("Leo Tolstoy"), "\(tokens), \(position)")
      let (strength, unrelated) = (
        try #require(fact["strength"]?.doubleValue), try #require(other["strength"]?.doubleValue)
      )
      #expect(strength > 0.1 && strength > 3 * unrelated, "\(strength) and \(unrelated)")
      // The list descends, and every strength is the largest over the tokens.
      let fired = try #require(reports[0]["fired"]?.arrayValue)
      let strengths = fired.compactMap { $0["strength"]?.doubleValue }
      #expect(fired.count == 10 && strengths == strengths.sorted(by: >))
      for row in fired {
        #expect(
          try row["strength"]?.doubleValue == #require(row["strengths"]?.arrayValue).compactMap(\.doubleValue).max())
      }
      #expect(reports[0]["next"]?["text"]?.stringValue == " French")
      #expect(reports[0]["next_without"]?["text"]?.stringValue == " Russian")
    }

    @Test func appliedOrNamedItIsTheSame() throws {
      try scratch.succeed("apply", "samples/model", Self.twenty, "-o", "edited", "--quiet")
      let applied = try scratch.succeed("trace", "edited", Self.edited)
      let named = try scratch.succeed("trace", "samples/model", "--patch", Self.twenty, Self.edited)
      #expect(applied.output == named.output && applied.errors == "")
      #expect(try scratch.succeed("trace", "edited", "--patch", Self.twenty, Self.edited).output == named.output)
      // One applied and one named are both traced, on the weights of both.
      let first = try trace("edited", "--patch", "samples/five-facts.wpatch", "Seattle is located in", "--top", "100")
      try scratch.succeed("apply", "edited", "samples/five-facts.wpatch", "-o", "both", "--quiet")
      #expect(try first == trace("both", "Seattle is located in", "--top", "100"))
      let patches = Set(try #require(first[0]["fired"]?.arrayValue).compactMap { $0["patch_name"]?.stringValue })
      #expect(patches == ["twenty-facts.wpatch", "five-facts.wpatch"])
    }

    @Test func answersAreThoseOfAsk() throws {
      try scratch.succeed("apply", "samples/model", Self.twenty, "-o", "edited", "--quiet")
      let report = try trace("edited", Self.edited)[0]
      for (model, key, probability) in [
        ("edited", "next", "probability"), ("samples/model", "next_without", "probability_without"),
      ] {
        let asked = try scratch.succeed("ask", model, "--tokens", "1", Self.edited, "--json").json
        let token = try #require(asked["tokens"]?.arrayValue?[0])
        #expect(token["id"] == report[ByteString(key)]?["id"])
        let (found, expected) = (report[ByteString(key)]?[ByteString(probability)]?.doubleValue, token["probability"])
        #expect(abs(try #require(found) - #require(expected?.doubleValue)) < 1e-5)
      }
    }

    @Test func aCompactedBatchIsListedAsAWhole() throws {
      try scratch.succeed("compact", Self.twenty, "--rank", "12", "-o", "small.wpatch")
      let report = try trace("samples/model", "--patch", "small.wpatch", Self.edited)[0]
      let fired = try #require(report["fired"]?.arrayValue)
      #expect(fired == report["batches"]?.arrayValue)
      #expect(fired.allSatisfy { $0["terms"] == "components" && $0["fact"] == nil })
      let lines = try scratch.succeed("trace", "samples/model", "--patch", "small.wpatch", Self.edited).output
      #expect(lines.contains("(12 components)"))
    }

    @Test func topAndThresholdLimitTheList() throws {
      let base = ["trace", "samples/model", "--patch", Self.twenty, Self.edited]
      #expect(try scratch.succeed(base + ["--top", "2"]).output.contains("\n… and 18 weaker (--top, --threshold)\n"))
      let strengths = try #require(
        try trace("samples/model", "--patch", Self.twenty, Self.edited, "--top", "20")[0][
          "fired"]?.arrayValue
      ).compactMap { $0["strength"]?.doubleValue }
      #expect(strengths.count == 20)
      let limited = try trace(
        "samples/model", "--patch", Self.twenty, Self.edited, "--threshold", "\(strengths[3])", "--top", "20")
      #expect(limited[0]["fired"]?.arrayValue?.count == 4)
      let none = try scratch.succeed(base + ["--threshold", "100"]).output
      #expect(none.contains("\nnothing fires with 10000.0% or more (at most "))
    }

    @Test func tellsWhatItCannotTrace() throws {
      try scratch.spoilWeight(ofLayer: 2)
      try scratch.succeed("diff", "samples/model", "model", "-o", "bit.wpatch")
      let reason =
        "model.layers.2.mlp.down_proj.weight cannot be traced: no down-projection, or changed by a correction too"
      try scratch.fail(
        "trace", "samples/model", "--patch", "bit.wpatch", "x", exitCode: 1,
        message: "errata trace: samples/model: \(reason)")
      let both = try scratch.succeed(
        "trace", "samples/model", "--patch", "bit.wpatch", "--patch", Self.twenty, Self.edited)
      #expect(both.errors == "note: \(reason)\n" && both.output.contains("  Leo Tolstoy  "))
    }

    @Test func refuses() throws {
      try scratch.fail(
        "trace", "samples/model", Self.edited, exitCode: 1,
        message:
          "errata trace: samples/model: no patch is applied, so there is nothing to trace; name one with --patch, "
          + "or apply it")
      try scratch.fail(
        "trace", "samples/model", "--patch", Self.twenty, "", exitCode: 2,
        message: "errata trace: the prompt \"\" is empty")
      try scratch.fail(
        "trace", "samples/model", "--patch", Self.twenty, exitCode: 2,
        message: "errata trace: Missing expected argument '<prompts> ...' (see 'errata trace --help')")
      try scratch.fail(
        "trace", "samples/model", "--patch", Self.twenty, "x", "--top", "0", exitCode: 2,
        message: "errata trace: --top must be positive (see 'errata trace --help')")
      try scratch.fail(
        "trace", "samples/model", "--patch", Self.twenty, "x", "--threshold=-1", exitCode: 2,
        message: "errata trace: --threshold must not be negative (see 'errata trace --help')")
      try scratch.spoilWeight(ofLayer: 1)
      try scratch.fail(
        "trace", "model", "--patch", "samples/eiffel-tower.wpatch", "x", exitCode: 3,
        message: "errata trace: samples/eiffel-tower.wpatch: was made for another base than model: "
          + "model.layers.1.mlp.down_proj.weight: expected fed1455eee19, found ae6f471d6606 "
          + "(--force applies it all the same)")
    }
  }
}
