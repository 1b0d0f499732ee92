import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Checkpoints whose tensors are of different types, also those that are read as one map.
@Suite struct MixedTypeTests {
  @Test(arguments: ["llama_tied", "gptneox", "gemma4_text", "opt_350m"]) func everyTensorInItsOwnType(
    family: String
  ) throws {
    let family = GoldenFamily.named(family)
    let (mixed, plain) = (try TemporaryDirectory(), try TemporaryDirectory())
    let source = try Checkpoint(path: family.path)
    var tensors: [ByteString: (dtype: DType, shape: Shape, bytes: [UInt8])] = [:]
    var widened = tensors
    for (index, name) in source.tensorNames.enumerated() {
      let tensor = try source.tensor(named: name)
      let values = tensor.bytes.bindMemory(to: Float.self)
      let dtype: DType = [.f32, .bf16, .f16][index % 3]
      let bytes = narrow(values, to: dtype)
      var rounded = [Float](repeating: 0, count: values.count)
      bytes.withUnsafeBytes { bytes in
        rounded.withUnsafeMutableBufferPointer { widen(bytes, dtype: dtype, into: $0) }
      }
      tensors[name] = (dtype, tensor.shape, bytes)
      widened[name] = (.f32, tensor.shape, rounded.withUnsafeBytes { Array($0) })
    }
    for (directory, content) in [(mixed, tensors), (plain, widened)] {
      try FileManager.default.copyItem(atPath: family.path + "/config.json", toPath: directory("config.json"))
      try SafetensorsWriter.write(content, to: directory("model.safetensors"))
    }
    func logits(_ directory: TemporaryDirectory) throws -> [Float] {
      let decoder = try Decoder(Checkpoint(path: directory.path))
      let tree = TokenTree([[5, 9, 31, 77, 12]])
      var hidden = try decoder.embed(tokens: tree.tokens, positions: tree.positions)
      try decoder.forward(
        &hidden, plan: AttentionPlan(tree), tokens: tree.tokens, positions: tree.positions,
        layers: 0..<decoder.architecture.layerCount)
      return decoder.logits(hidden).elements
    }
    #expect(largestError(try logits(mixed), try logits(plain)) < 1e-6)
  }
}
