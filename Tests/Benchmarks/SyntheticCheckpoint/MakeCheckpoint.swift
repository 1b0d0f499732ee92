import ArgumentParser
import Foundation
import Safetensors
import Tensors
import ToolSupport

struct MakeCheckpoint: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint", abstract: "Writes a checkpoint with random weights, in Hugging Face layout.")

  @Argument(help: "The model's config.json: its shapes.")
  var configuration: String

  @Option(name: [.short, .long], help: "The directory to make.")
  var output: String

  @Option(help: "BF16, F16 or F32.")
  var dtype = "BF16"

  @Option(help: "The most bytes of weights in one file; if there are more, the checkpoint is sharded.")
  var shardSize = 5_000_000_000

  @Option(help: "Of the random numbers.")
  var seed: UInt64 = 0

  func validate() throws {
    guard DType(rawValue: dtype)?.isWeightType == true else { throw ValidationError("--dtype is BF16, F16 or F32") }
    guard shardSize > 0 else { throw ValidationError("--shard-size is a positive number of bytes") }
  }

  func run() throws {
    let text = try MappedFile(path: configuration)
    let tensors = try modelTensors(JSON.parse(contentsOf: configuration), source: configuration)
    let dtype = DType(rawValue: dtype)!
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    try AtomicFile.write(Array(text.bytes), to: output + "/config.json")

    let shards = shards(tensors, bytesPerElement: dtype.bitsPerElement / 8)
    var map = JSONObject()
    let weights = RandomWeights(dtype, seed: seed)
    var total = 0
    for (number, shard) in shards.enumerated() {
      let name =
        shards.count == 1
        ? "model.safetensors" : String(format: "model-%05d-of-%05d.safetensors", number + 1, shards.count)
      let writer = try SafetensorsWriter(
        path: "\(output)/\(name)",
        tensors: shard.map { TensorDeclaration(name: ByteString($1.name), dtype: dtype, shape: Shape($1.extents)) },
        metadata: ["format": "pt"])
      for info in writer.header.tensors {
        let (index, tensor) = shard.first { ByteString($1.name) == info.name }!
        try weights.fill(tensor.filling, elementCount: info.elementCount, index: index) {
          try writer.write($0, of: info.name)
        }
        map[info.name] = JSON(name)
        total += info.byteCount
      }
      try writer.commit()
    }
    if shards.count > 1 {
      let index: JSON = ["metadata": ["total_size": .integer(total)], "weight_map": .object(map)]
      try AtomicFile.write(index.serialized(), to: output + "/model.safetensors.index.json")
    }
    print(
      "\(output): \(tensors.count) tensors, \(formatBytes(total)) in \(shards.count) "
        + "file\(shards.count == 1 ? "" : "s")"
    )
  }

  /// The tensors, with their numbers, cut into files where the next one would be too large.
  private func shards(_ tensors: [ModelTensor], bytesPerElement: Int) -> [[(Int, ModelTensor)]] {
    var shards: [[(Int, ModelTensor)]] = [[]]
    var size = 0
    for (index, tensor) in tensors.enumerated() {
      let byteCount = tensor.extents.reduce(bytesPerElement, *)
      if size + byteCount > shardSize, !shards[shards.count - 1].isEmpty {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append((index, tensor))
      size += byteCount
    }
    return shards
  }
}
