import LinearAlgebra
import ToolSupport

@main
struct Main {
  static func main() {
    WidestKernels.use()
    ToolMain.run(FactsTool.self)
  }
}
