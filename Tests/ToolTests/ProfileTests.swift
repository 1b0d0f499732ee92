import Tensors
import Testing

extension ToolTests {
  /// `--profile`, of every tool that has it.
  @Suite struct ProfileOption {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let commands: [(arguments: [String], phase: String, nested: String)] = [
      (
        [
          "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-1", "--stats",
          "samples/stats.safetensors", "-o", "fix.wpatch", "--force",
        ], "value search", "steps"
      ),
      (
        [
          "stats", "samples/model", "--text", "samples/corpus.txt", "--layers", "1", "--tokens", "2000", "-o",
          "stats.safetensors",
        ], "passes", "outer products"
      ),
      (
        ["eval", "samples/model", "--facts", "samples/facts.json", "--records", "0-1"], "scores", "matrix products"
      ),
    ]

    @Test(arguments: commands.indices)
    func printsATable(index: Int) throws {
      let (arguments, phase, nested) = Self.commands[index]
      let lines = try scratch.succeed(arguments + ["--quiet", "--profile"]).errors.split(separator: "\n")
      #expect(lines.first?.split(separator: " ") == ["phase", "calls", "seconds", "share", "GFLOP", "GFLOP/s"])
      #expect(lines.contains { $0.hasPrefix(phase + " ") })
      #expect(lines.contains { $0.hasPrefix("  \(nested) ") })
      #expect(lines.last?.hasPrefix("in all ") == true)
      #expect(try scratch.succeed(arguments + ["--quiet"]).errors == "")
    }

    /// A phase takes at least as long, and counts as many operations, as the phases within it.
    @Test(arguments: commands.indices)
    func phasesAddUp(index: Int) throws {
      let (arguments, phase, _) = Self.commands[index]
      let result = try scratch.succeed(arguments + ["--quiet", "--profile", "--json"])
      #expect(result.errors == "")
      let answer = try result.json
      let profile = try #require(answer["profile"])
      let total = try #require(profile["seconds"]?.doubleValue)
      let phases = try #require(profile["phases"]?.arrayValue)
      func value(_ name: ByteString, _ index: Int) -> Double { phases[index][name]?.doubleValue ?? .nan }
      #expect(phases.contains { $0["phase"]?.stringValue == phase && ($0["operations"]?.doubleValue ?? 0) > 1e6 })
      #expect(
        phases.indices.filter { value("depth", $0) == 0 }.reduce(0) { $0 + value("seconds", $1) } <= total)
      for index in phases.indices {
        let depth = value("depth", index)
        let within = phases.indices[(index + 1)...].prefix { value("depth", $0) > depth }
          .filter { value("depth", $0) == depth + 1 }
        #expect(within.reduce(0) { $0 + value("seconds", $1) } <= value("seconds", index))
        #expect(within.reduce(0) { $0 + value("operations", $1) } <= value("operations", index))
        #expect(value("calls", index) >= 1)
      }
      #expect(try scratch.succeed(arguments + ["--quiet", "--json"]).output.contains("\"profile\"") == false)
    }
  }
}
