import Tensors
import Testing

extension ToolTests {
  @Suite struct Tune {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private let tune = [
      "tune", "samples/model", "--facts", "samples/facts.json", "--records", "0-2", "--stats",
      "samples/stats.safetensors", "--quiet",
    ]

    /// The best trial's scores are those of the edit that its settings make.
    @Test func theBestOfEveryCombination() throws {
      let answer = try scratch.succeed(
        tune + ["--layers", "0-1", "--clamps", "0.5,4", "-w", "1,1e6", "--json", "-o", "best.json"]
      ).json
      let trials = try #require(answer["trials"]?.arrayValue)
      #expect(trials.map { $0["layer"]?.integerValue } == [0, 0, 0, 0, 1, 1, 1, 1])
      #expect(trials.map { $0["clamp"]?.doubleValue } == [0.5, 0.5, 4, 4, 0.5, 0.5, 4, 4])
      #expect(trials.map { $0["second_moment_weight"]?.doubleValue } == [1, 1e6, 1, 1e6, 1, 1e6, 1, 1e6])
      // A huge w leaves the model as it is.
      #expect(trials[7]["scores"]?["ES"]?.doubleValue == 0)
      let best = trials[try #require(answer["best"]?.integerValue)]
      for trial in trials {
        #expect((best["scores"]?["S"]?.doubleValue ?? 0) >= (trial["scores"]?["S"]?.doubleValue ?? 0))
      }
      func shown(_ trial: JSON) -> String { String(format: "%.1f", trial["scores"]?["S"]?.doubleValue ?? 0) }
      let tied = try #require(answer["tied"]?.arrayValue).map(\.integerValue)
      #expect(tied == trials.indices.filter { shown(trials[$0]) == shown(best) })
      try scratch.succeed(
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-2", "--stats",
        "samples/stats.safetensors", "--quiet", "--hparams", "best.json", "-o", "o.wpatch")
      try scratch.succeed("apply", "samples/model", "o.wpatch", "-o", "edited")
      let scores = try scratch.succeed(
        "eval", "edited", "--facts", "samples/facts.json", "--records", "0-2", "--quiet", "--json"
      ).json
      let found = scores["summary"]
      for name: ByteString in ["ES", "PS", "NS", "S"] { #expect(found?[name] == best["scores"]?[name]) }
    }

    @Test func printsATable() throws {
      let lines = try scratch.succeed(tune + ["--layers", "1", "--clamps", "4", "-w", "1,1e9"]).output
        .split(separator: "\n")
      #expect(lines.count == 4)
      #expect(lines[0].split(separator: " ") == ["layer", "clamp", "w", "ES", "PS", "NS", "S", "P(new)", "disturbs"])
      #expect(lines[1].hasPrefix("best"))
      #expect(lines[3] == "best: --method emmet --layers 1 --clamp 4 -w 1")
    }

    @Test func saysThatSettingsTie() throws {
      let lines = try scratch.succeed(tune + ["--layers", "1", "--clamps", "4", "-w", "1,1.00001,1e9"]).output
        .split(separator: "\n")
      let score = lines[1].split(separator: " ")[7]
      #expect(lines.last == "2 of 3 settings tie at S \(score); more facts may tell them apart")
    }

    @Test func interrupted() throws {
      let result = try scratch.errata(
        "tune", "samples/model", "--facts", "samples/facts.json", "--stats", "samples/stats.safetensors", "--quiet",
        "-o", "best.json", interruptWhen: Tool.catchesInterrupts)
      #expect(result.exitCode == 1)
      #expect(result.errors == "errata tune: interrupted before every combination was tried\n")
      #expect(!scratch.exists("best.json"))
    }

    @Test(
      arguments: [
        (["--method", "rome"], 2, "--method must be emmet or memit (see 'errata tune --help')"),
        (
          ["--clamps", "0,1"], 2,
          "--clamps must be positive numbers like 0.75,4, found '0,1' (see 'errata tune --help')"
        ),
        (
          ["-w", "1,,2"], 2,
          "--second-moment-weights must be numbers of zero or more like 0.75,4, found '1,,2' (see 'errata tune --help')"
        ),
        (["--steps", "0"], 2, "--steps must be positive (see 'errata tune --help')"),
        (["--weight-decay", "inf"], 2, "--weight-decay must be zero or more (see 'errata tune --help')"),
        (["--ridge", "nan"], 2, "--ridge must be zero or more (see 'errata tune --help')"),
        (["--layers", "7"], 2, "layer 7 does not exist: the model has layers 0 to 5"),
        (
          ["--layers", "4"], 1,
          "samples/stats.safetensors: has no second moments of layer 4, only of 0, 1, 2; "
            + "collect them with 'errata stats --layers 4'"
        ),
      ] as [([String], Int32, String)])
    func badOptions(options: [String], exitCode: Int32, message: String) throws {
      try scratch.fail(tune + options, exitCode: exitCode, message: "errata tune: \(message)")
    }
  }
}
