import ArgumentParser
import Safetensors
import Tensors
import TestSupport
import ToolSupport
import WeightPatch

struct MakePatch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "patch",
    abstract: "Writes a patch of random factors for the down-projections of a checkpoint's layers.")

  @Argument(help: "The checkpoint, a directory.")
  var checkpoint: String

  @Option(name: [.short, .long], help: "The patch file.")
  var output: String

  @Option(help: "The layers, such as 13,14,15; all if none are named.")
  var layers: String?

  @Option(help: "Terms per tensor.")
  var rank = 100

  @Option(help: "The size of the change of a tensor, in sizes of the tensor (Frobenius norms).")
  var strength = 0.3

  @Option(help: "How the factors are stored: F16 or F32.")
  var type = "F16"

  @Option(help: "Of the random numbers.")
  var seed: UInt64 = 0

  func validate() throws {
    guard ["F16", "F32"].contains(type) else { throw ValidationError("--type is F16 or F32") }
    guard rank > 0, strength > 0 else { throw ValidationError("--rank and --strength are positive") }
  }

  func run() throws {
    let source = try Checkpoint(path: checkpoint)
    let configuration = checkpoint + "/config.json"
    let json = try JSON.parse(contentsOf: configuration)
    let wanted = layers.map { Set($0.split(separator: ",").compactMap { Int($0) }) }
    let edited = try modelTensors(json, source: configuration).filter { tensor in
      tensor.downProjectionOfLayer.map { wanted?.contains($0) ?? true } ?? false
    }
    let isTransposed = json["model_type"]?.stringValue == "gpt2"
    var random = SeededGenerator(seed: seed)
    var bases: [ByteString: Manifest.BaseTensor] = [:]
    let factors = try edited.map { tensor in
      let name = ByteString(tensor.name)
      let stored = try source.tensor(named: name)
      bases[name] = Manifest.BaseTensor(
        dtype: stored.dtype, shape: stored.shape, isTransposed: isTransposed, digest: stored.digest())
      let (outputs, inputs) =
        isTransposed ? (tensor.extents[1], tensor.extents[0]) : (tensor.extents[0], tensor.extents[1])
      guard case .normal(let deviation) = tensor.filling else { preconditionFailure("a weight is random") }
      // An element of A B is a sum of `rank` products.
      let scale = strength * deviation / Double(rank).squareRoot()
      return LowRankFactors(
        name: name, isTransposed: isTransposed,
        left: StoredFactor(matrix(outputs, rank, scale, &random), dtype: DType(rawValue: type)!, facts: .columns),
        right: StoredFactor(matrix(rank, inputs, 1, &random), dtype: DType(rawValue: type)!, facts: .rows))
    }
    let manifest = Manifest(
      created: timestamp(), tool: Manifest.Tool(name: "synthetic-checkpoint", version: errataVersion),
      base: Manifest.Base(architecture: json["model_type"]?.stringValue, tensors: bases),
      batches: [
        Manifest.Batch(
          method: Manifest.Method(name: "emmet", lambda: 0.1, layers: edited.compactMap(\.downProjectionOfLayer)),
          facts: (0..<rank).map { Manifest.Fact(subject: "Subject \($0)", prompt: "The {} is", targetNew: "random") })
      ])
    let patch = try PatchWriter.write(manifest, batches: [EditBatch(tensors: factors)], to: output)
    print("\(output): \(patch.extent), \(formatBytes(try MappedFile(path: output).bytes.count))")
  }

  /// Uniform values: they are as hard to compress as any, and cheap.
  private func matrix(
    _ rows: Int, _ columns: Int, _ deviation: Double, _ random: inout SeededGenerator
  ) -> Matrix<Float> {
    var result = Matrix<Float>(uninitializedRows: rows, columns: columns)
    let scale = Float(deviation * 3.0.squareRoot() * 0x1p-23)
    result.withUnsafeMutablePointer { elements in
      for index in 0..<rows * columns { elements[index] = Float(Int32(truncatingIfNeeded: random.next()) >> 8) * scale }
    }
    return result
  }
}
