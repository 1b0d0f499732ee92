import Foundation
import Tensors
import Testing

extension ToolTests {
  /// `errata resolve`, `errata show --tradeoff` and `errata drop`: a patch solved again, without the model.
  @Suite struct SolveAgain {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let patch = "samples/twenty-facts.wpatch"

    private func probabilities(_ checkpoint: String) throws -> [Double] {
      let result = try scratch.succeed(
        "eval", checkpoint, "--facts", "samples/facts.json", "--records", "0-19", "--json")
      let cases = try #require(try result.json["cases"]?.arrayValue)
      return try cases.map { try #require($0["rewrite"]?.arrayValue?[0]["probability_new"]?.doubleValue) }
    }

    private func batch(_ patch: String) throws -> JSON {
      try #require(try scratch.succeed("show", patch, "--json").json["manifest"]?["batches"]?.arrayValue?[0])
    }

    @Test func aTurnedKnobIsTheEditAtThatLambda() throws {
      try scratch.succeed(
        "resolve", Self.patch, "--method", "memit", "--weight", "300", "--base", "samples/model", "-o", "turned.wpatch")
      try scratch.succeed("resolve", Self.patch, "--lambda", "300", "-o", "lambda.wpatch")
      let (turned, plain) = try (batch("turned.wpatch"), batch("lambda.wpatch"))
      #expect(turned["method"]?["name"] == "memit" && turned["method"]?["lambda"]?.doubleValue == 300)
      #expect(turned["digest"] == plain["digest"])
      try scratch.succeed("apply", "samples/model", "turned.wpatch", "-o", "turned", "--quiet")
      try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-19", "--stats",
        "samples/stats.safetensors", "--layers", "1", "--lambda", "300", "-o", "direct.wpatch", "--quiet")
      try scratch.succeed("apply", "samples/model", "direct.wpatch", "-o", "direct", "--quiet")
      let (again, computed) = try (probabilities("turned"), probabilities("direct"))
      #expect(zip(again, computed).allSatisfy { abs($0 - $1) < 0.02 })
      // It is another edit than the one that it was made from.
      try scratch.succeed("apply", "samples/model", Self.patch, "-o", "firm", "--quiet")
      #expect(try zip(again, probabilities("firm")).contains { abs($0 - $1) > 0.05 })
    }

    @Test func showTellsTheTradeOff() throws {
      let table = try scratch.succeed("resolve", Self.patch, "--tradeoff").output
      #expect(table.contains(#/\nnow +0\.1 /#))
      #expect(try scratch.succeed("show", Self.patch, "--tradeoff").output == table)
      let json = try scratch.succeed("show", "--json", "--tradeoff", Self.patch).output
      #expect(try scratch.succeed("resolve", Self.patch, "--tradeoff", "--json").output == json)
      try scratch.fail(
        "show", "samples/model", "--tradeoff", exitCode: 2,
        message:
          "errata show: samples/model: --tradeoff is of a patch, and this is a checkpoint; its patches are in its "
          + "ledger"
      )
      try scratch.fail(
        "show", Self.patch, "--tradeoff", "--fact", "Osaka", exitCode: 2,
        message: "errata show: --tradeoff and --fact exclude each other (see 'errata show --help')")
    }

    /// At a slack where nothing is left of the facts, `errata show` says so.
    @Test func anExtremeSlackIsShownAsItIs() throws {
      try scratch.succeed("resolve", Self.patch, "--lambda", "1e30", "-o", "nothing.wpatch")
      let figures = try scratch.succeed("show", "nothing.wpatch", "--json").json["figures"]?.arrayValue?[0].objectValue
      for tensor in try #require(figures).members.map(\.value) {
        #expect(abs(try #require(tensor["worst_memorization"]?.doubleValue) - 1) < 1e-3)
      }
      #expect(try scratch.succeed("show", "nothing.wpatch").output.contains("  100%  "))
    }

    @Test func refusesWhatMakesNoSense() throws {
      let slack = "errata resolve: give --lambda, or --method memit with -w, or --method emmet with --alpha and -w"
      for options in [[], ["--method", "memit"], ["--lambda", "1", "--weight", "2"]] {
        try scratch.fail(
          ["resolve", Self.patch, "-o", "o.wpatch"] + options, exitCode: 2,
          message: slack + " (see 'errata resolve --help')")
      }
      try scratch.fail(
        "resolve", Self.patch, "--lambda", "1", "--batch", "3", "-o", "o.wpatch", exitCode: 2,
        message: "errata resolve: \(Self.patch): has no batch 3: it has one, batch 0")
      try scratch.fail(
        "resolve", Self.patch, "--lambda", "1e60", "-o", "o.wpatch", exitCode: 1,
        message:
          "errata resolve: the factors have values that are too small for float32: the patch would do nothing, "
          + "and could not be solved again; use a smaller lambda")
      try scratch.fail(
        "drop", Self.patch, "--fact", "Nobody", "-o", "o.wpatch", exitCode: 1,
        message:
          "errata drop: \(Self.patch): has no fact 'Nobody'; give an ID, its first digits (four at least) or the "
          + "exact subject, as 'errata show' lists them")
      try scratch.fail(
        "drop", "samples/eiffel-tower.wpatch", "--fact", "Eiffel Tower", "-o", "o.wpatch", exitCode: 1,
        message: "errata drop: samples/eiffel-tower.wpatch: no fact would remain, and a patch cannot be empty")
    }
  }
}
