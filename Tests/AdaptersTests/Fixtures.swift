import Foundation
import Safetensors
import Tensors
import TestSupport
import WeightPatch

@testable import Adapters

extension AdapterBase {
  /// Of one of the tiny random models.
  static func golden(_ name: String) throws -> AdapterBase {
    try AdapterBase(Checkpoint(path: GoldenFamily.named(name).path))
  }

  func downProjection(_ layer: Int) -> Target { targets.first { $0.layer == layer && $0.role == .down }! }

  /// A change of some maps with values that narrow types round.
  func randomAdapter(ranks: [(tensor: Target, rank: Int)], seed: UInt64 = 7) -> LowRankAdapter {
    var random = SeededGenerator(seed: seed)
    return LowRankAdapter(
      ranks.map { target, rank in
        LowRankAdapter.Module(
          target: target, left: .random(rows: target.outputSize, columns: rank, scale: 20, &random),
          right: .random(rows: rank, columns: target.inputSize, scale: 1e-3, &random))
      })
  }
}

extension Matrix where Element == Float {
  static func random(rows: Int, columns: Int, scale: Float, _ random: inout SeededGenerator) -> Matrix<Float> {
    let elements = (0..<rows * columns).map { _ in Float.random(in: -scale...scale, using: &random) }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}

extension LowRankAdapter.Module {
  /// scale left right, in binary64.
  var product: [Double] {
    let product = plainProduct(left.widened(), right.widened())
    return product.elements.map { $0 * scale }
  }
}

/// Writes a PEFT adapter as somebody else would.
func writePEFT(
  _ tensors: [String: (Shape, [Float])], _ configuration: [String: JSON], dtype: DType = .f32, to folder: String
) throws {
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  var stored: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [:]
  for (name, tensor) in tensors {
    stored[ByteString(name)] = (dtype, tensor.0, tensor.1.withUnsafeBufferPointer { narrow($0, to: dtype) })
  }
  try SafetensorsWriter.write(stored, to: folder + "/adapter_model.safetensors")
  var object = JSONObject(["peft_type": "LORA", "lora_alpha": 4, "r": 2])
  for (key, value) in configuration.sorted(by: { $0.key < $1.key }) { object[ByteString(key)] = value }
  try AtomicFile.write(JSON.object(object).serialized(), to: folder + "/adapter_config.json")
}
