import ArgumentParser
import LinearAlgebra
import ToolSupport

/// Runs single parts of an edit and times them: Errata's side of benchmark.py. It is no tool of Errata's, and is not
/// shipped.
@main
struct Main: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark-parts", abstract: "Runs single parts of an edit and times them, for benchmarks.",
    subcommands: [
      MeasureMachine.self, SearchValues.self, MeasureKeys.self, SolveSystem.self,
      ClosedForm.self,
    ])

  static func main() {
    WidestKernels.use()
    ToolMain.run(Main.self)
  }
}
