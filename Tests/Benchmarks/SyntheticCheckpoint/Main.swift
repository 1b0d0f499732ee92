import ArgumentParser
import ToolSupport

/// Makes checkpoints of real models' shapes with random weights, and patches for them: what the benchmarks work on. It
/// is no tool of Errata's, and is not shipped.
@main
struct Main: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "synthetic-checkpoint",
    abstract: "Makes checkpoints and patches of random numbers, for benchmarks.",
    subcommands: [MakeCheckpoint.self, MakePatch.self])

  static func main() { ToolMain.run(Main.self) }
}
