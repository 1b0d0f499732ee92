import Tensors
import Testing

extension ToolTests {
  /// `--budget` and `--short` in place of lambda.
  @Suite struct SlackGoal {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func edit(_ options: String...) -> [String] {
      [
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-7", "--stats",
        "samples/stats.safetensors", "--method", "memit", "--steps", "8", "-o", "fix.wpatch", "--force",
      ] + options
    }

    /// Of each tensor: what it disturbs, and what text makes of it.
    private func disturbances(_ patch: String) throws -> [(disturbed: Double, output: Double)] {
      let shown = try scratch.succeed("show", patch, "--json").json
      let figures = try #require(shown["figures"]?.arrayValue?[0].objectValue)
      let recorded = try #require(shown["manifest"]?["batches"]?.arrayValue?[0]["tensors"]?.objectValue)
      return try figures.members.map { name, figures in
        try (
          #require(figures["preservation"]?.doubleValue), #require(recorded[name]?["output_power"]?.doubleValue)
        )
      }
    }

    @Test func aBudgetIsKept() throws {
      // Of several layers each does a part, and disturbs little without any slack.
      for (layers, budget) in [("1", 0.02), ("0-2", 0.001)] {
        let result = try scratch.succeed(edit("--layers", layers, "--budget", "\(budget * 100)%"))
        #expect(result.errors.contains(#/errata edit: lambda [0-9.e-]+/#))
        let shares = try disturbances("fix.wpatch").map { $0.disturbed / $0.output }
        #expect(shares.count == (layers == "1" ? 1 : 3))
        // In three digits of lambda, and with factors that were rounded to be stored.
        #expect(shares.allSatisfy { $0 < 1.01 * budget && $0 > 0.9 * budget }, "\(shares)")
      }
      let resolved = try scratch.succeed("resolve", "fix.wpatch", "--budget", "0.0005", "-o", "less.wpatch")
      #expect(resolved.errors.hasPrefix("errata resolve: lambda "))
      // One lambda for all tensors, which keep the budget together.
      let less = try disturbances("less.wpatch")
      let share = less.reduce(0) { $0 + $1.disturbed } / less.reduce(0) { $0 + $1.output }
      #expect(share < 0.000505 && share > 0.00045)
      #expect(try scratch.succeed("show", "less.wpatch").output.contains("solved again: budget 0.0005, lambda "))
    }

    @Test func whatFactsMayLack() throws {
      try scratch.succeed(edit("--layers", "1", "--short", "20%"))
      func short(_ patch: String) throws -> [Double] {
        let shown = try scratch.succeed("show", patch, "--json").json
        let tensor = try #require(shown["figures"]?.arrayValue?[0].objectValue?.members.first?.value)
        return try #require(tensor["memorization"]?.arrayValue).compactMap(\.doubleValue)
      }
      // Together 20%: some a little more, some less.
      let shares = try short("fix.wpatch")
      #expect(shares.max()! > 0.15 && shares.min()! < 0.25)
      try scratch.succeed("resolve", "fix.wpatch", "--short", "5%", "-o", "firm.wpatch")
      #expect(try short("firm.wpatch").max()! < shares.max()!)
    }

    @Test func refusesWhatIsNone() throws {
      func message(_ options: String...) throws -> String { try Tool.errata(edit() + options, in: scratch.path).errors }
      #expect(try message("--budget", "120%").contains("'120%' is invalid for '--budget"))
      #expect(try message("--short", "0").contains("'0' is invalid for '--short"))
      #expect(
        try message("--budget", "5%", "--short", "5%")
          == "errata edit: --budget and --short exclude each other (see 'errata edit --help')\n")
      #expect(
        try message("--budget", "5%", "--lambda", "1")
          == "errata edit: --budget and --short stand for --lambda, --alpha and -w (see 'errata edit --help')\n")
      try scratch.fail(
        "resolve", "samples/five-facts.wpatch", "--budget", "5%", "--lambda", "1", "-o", "x.wpatch", exitCode: 2,
        message: "errata resolve: --budget and --short stand for --lambda (see 'errata resolve --help')")
    }
  }
}
