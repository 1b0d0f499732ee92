import ArgumentParser
import Foundation
import KnowledgeEditing
import LinearAlgebra
import PatchAlgebra
import Safetensors
import Tensors
import TestSupport
import ToolSupport
import WeightPatch

/// The closed form at any batch size, from keys to a patch file: random keys and residuals for a down-projection of a
/// checkpoint, everything after them as `errata edit` does it.
struct ClosedForm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "closed-form", abstract: "Solves a large batch of random facts and writes it as a patch.")

  @Argument(help: "A synthetic checkpoint.")
  var checkpoint: String

  @Option(help: "The name of the weight.")
  var tensor: String

  @Option(help: "How many facts.")
  var facts = 10_000

  @Option(help: "The slack lambda.")
  var lambda = 0.1

  @Option(name: [.short, .long], help: "The patch.")
  var output: String

  func run() throws {
    Profile.start()
    let name = ByteString(tensor)
    let stored = try Checkpoint(path: checkpoint).tensor(named: name)
    let isTransposed = try JSON.parse(contentsOf: checkpoint + "/config.json")["model_type"]?.stringValue == "gpt2"
    let extents = isTransposed ? stored.shape.extents.reversed() : stored.shape.extents
    let (outputs, inputs) = (extents[0], extents[1])
    var random = SeededGenerator(seed: 0)
    // Features of sizes that fall off as a power, neighbours correlated: dense, positive definite, not well
    // conditioned.
    let sizes = (0..<inputs).map { pow(Double($0 + 1), -0.3) }
    var secondMoment: PackedTriangle? = Profile.measure("random C") {
      var triangle = PackedTriangle(size: inputs)
      let powers = (0..<inputs).map { pow(0.9, Double($0)) }
      triangle.setRows { row, columns, elements in
        for (offset, column) in columns.enumerated() {
          elements[offset] = sizes[row] * sizes[column] * powers[abs(row - column)]
        }
      }
      return triangle
    }
    let (keys, residuals) = Profile.measure("random keys and residuals") {
      var keys = Matrix<Double>(uninitializedRows: facts, columns: inputs)
      keys.withUnsafeMutablePointer { elements in
        for fact in 0..<facts {
          for input in 0..<inputs { elements[fact * inputs + input] = sizes[input] * uniform(&random) }
        }
      }
      var residuals = Matrix<Double>(uninitializedRows: facts, columns: outputs)
      residuals.withUnsafeMutablePointer { elements in
        for index in 0..<outputs * facts { elements[index] = uniform(&random) }
      }
      return (keys, residuals)
    }
    let solver = try Profile.measure("factor C") { try EditSolver(secondMoment: secondMoment.take()!) }
    let solution = try Profile.measure("solve") {
      try solver.solve(keys: keys, residuals: residuals, lambda: lambda)
    }
    let choice = try Profile.measure("choose factor types") {
      try chooseStorage(left: solution.left, right: solution.right, keys: keys, residuals: residuals, using: .blas)
    }
    let factors = LowRankFactors(
      name: name, isTransposed: isTransposed, left: choice.left, right: choice.right, gram: solution.gram)
    try Profile.measure("write the patch") { try write(factors, stored, choice, isTransposed) }
    printJSON([
      "d_in": .integer(inputs), "d_out": .integer(outputs), "facts": .integer(facts),
      "factor_types": JSON("\(choice.left.dtype.rawValue) \(choice.right.dtype.rawValue)"),
      "storage_error": .double(choice.error), "bytes": .integer(try MappedFile(path: output).bytes.count),
      "seconds": .double(Profile.secondsElapsed),
      "phases": .array(
        Profile.phases().filter { $0.depth == 0 }.map {
          ["phase": JSON($0.name), "seconds": .double($0.seconds), "operations": .double($0.operations)]
        }),
    ])
  }

  private func write(
    _ factors: LowRankFactors, _ stored: StoredTensor, _ choice: StorageChoice, _ isTransposed: Bool
  ) throws {
    let manifest = Manifest(
      created: timestamp(), tool: Manifest.Tool(name: "benchmark-parts", version: errataVersion),
      base: Manifest.Base(tensors: [
        stored.name: Manifest.BaseTensor(
          dtype: stored.dtype, shape: stored.shape, isTransposed: isTransposed, digest: stored.digest())
      ]),
      batches: [
        Manifest.Batch(
          method: Manifest.Method(name: "emmet", lambda: lambda, layers: [0]),
          facts: (0..<facts).map { Manifest.Fact(subject: "Subject \($0)", prompt: "The {} is", targetNew: "random") })
      ])
    try PatchWriter.write(manifest, batches: [EditBatch(tensors: [factors])], to: output)
  }

  /// Of mean 0 and variance 1.
  private func uniform(_ random: inout SeededGenerator) -> Double {
    Double(Int32(truncatingIfNeeded: random.next())) * 0x1p-31 * 3.0.squareRoot()
  }
}
