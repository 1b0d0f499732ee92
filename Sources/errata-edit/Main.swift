import FactReporting
import LinearAlgebra
import ToolSupport

@main
struct Main {
  static func main() {
    WidestKernels.use()
    ToolMain.run(Edit.self, FactRequirement.completing(Array(CommandLine.arguments.dropFirst())))
  }
}
