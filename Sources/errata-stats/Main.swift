import LinearAlgebra
import ToolSupport

/// `errata stats MODEL ...` collects; with a verb in the model's place it works on what was collected. A model's
/// directory of such a name is given as `./merge`.
@main
struct Main {
  static func main() {
    WidestKernels.use()
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case "show": ToolMain.run(ShowStats.self, Array(arguments.dropFirst()))
    case "merge": ToolMain.run(MergeStats.self, Array(arguments.dropFirst()))
    case "factor": ToolMain.run(FactorStats.self, Array(arguments.dropFirst()))
    case "import": ToolMain.run(ImportStats.self, Array(arguments.dropFirst()))
    default: ToolMain.run(Stats.self)
    }
  }
}
