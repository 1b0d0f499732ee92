import ArgumentParser
import KnowledgeEditing
import LinearAlgebra
import Safetensors
import Tensors
import ToolSupport

/// The closed form alone, on a problem that `reference.py problem` made.
struct SolveSystem: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "solve", abstract: "Solves for the factors of a batch of facts.")

  @Argument(help: "A safetensors file with moment, keys and residual.")
  var problem: String

  @Option(help: "The slack lambda.")
  var lambda: Double

  @Option(name: [.short, .long], help: "A safetensors file for the factors.")
  var output: String

  func run() throws {
    let file = try SafetensorsFile(path: problem)
    let keys = try file.tensor(named: "keys").matrix().widened().transposed()
    let residuals = try file.tensor(named: "residual").matrix().widened().transposed()
    var moment: PackedTriangle? = try PackedTriangle(lowerTriangleOf: file.tensor(named: "moment").matrix().widened())
    var solution: EditSolver.Solution?
    Profile.start()
    let seconds = try seconds {
      solution = try EditSolver(secondMoment: moment.take()!).solve(keys: keys, residuals: residuals, lambda: lambda)
    }
    let factors = [("left", solution!.left), ("right", solution!.right)]
    let writer = try SafetensorsWriter(
      path: output,
      tensors: factors.map { TensorDeclaration(name: ByteString($0), dtype: .f64, shape: [$1.rows, $1.columns]) })
    for info in writer.header.tensors {
      let factor = factors.first { ByteString($0.0) == info.name }!.1
      try factor.withUnsafePointer {
        try writer.write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: factor.count)), of: info.name)
      }
    }
    try writer.commit()
    printJSON([
      "seconds": .double(seconds),
      "operations": .double(Profile.phases().filter { $0.depth == 0 }.reduce(0) { $0 + $1.operations }),
    ])
  }
}
