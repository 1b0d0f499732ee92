import Foundation
import LinearAlgebra
import PatchAlgebra
import Safetensors
import Tensors
import TestSupport

@testable import KnowledgeEditing
@testable import SecondMomentStatistics

extension TemporaryDirectory {
  /// The checkpoint with its weights widened to float32.
  func floatCopy(of model: String) throws -> String {
    let copy = path + "/float-model"
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    for name in ["config.json", "tokenizer.json"] {
      try FileManager.default.copyItem(atPath: "\(model)/\(name)", toPath: "\(copy)/\(name)")
    }
    let checkpoint = try Checkpoint(path: model)
    let tensors = try checkpoint.tensorNames.map { try checkpoint.tensor(named: $0) }
    let writer = try SafetensorsWriter(
      path: copy + "/model.safetensors",
      tensors: tensors.map { TensorDeclaration(name: $0.name, dtype: .f32, shape: $0.shape) })
    for tensor in writer.header.tensors {
      let matrix = try checkpoint.matrix(named: tensor.name)
      try matrix.elements.withUnsafeBytes { try writer.write($0, of: tensor.name) }
    }
    try writer.commit()
    return copy
  }

  /// A second-moment file with the golden C of each layer.
  func statistics(
    _ model: LanguageModel, _ numbers: GoldenEdit.Numbers, layers: [Int]
  ) throws -> SecondMoments {
    let file = path + "/stats.safetensors"
    let origin = SecondMomentOrigin(
      model: model.name, tokenizer: model.tokenizer.digest, corpus: "golden", corpusDigest: Digest(of: [UInt8]()),
      sequenceLength: 1,
      weights: Dictionary(
        uniqueKeysWithValues: try layers.map { ($0, try model.checkpoint.digest(of: model.decoder.editedTensor($0))) }))
    // As many tokens as a matrix of full rank needs; a power of two, so that the mean has the golden numbers' bits.
    let tokenCount = 4096
    let sums = try layers.map { layer in
      var sum = try numbers.secondMoment(layer)
      let count = sum.count
      sum.withUnsafeMutablePointer { for index in 0..<count { $0[index] *= Double(tokenCount) } }
      return (layer, PackedTriangle(lowerTriangleOf: sum))
    }
    try SecondMoments.write(
      Dictionary(uniqueKeysWithValues: sums), tokenCount: tokenCount,
      outputPowers: [:], origin: origin, to: file)
    return try SecondMoments(contentsOf: file)
  }
}
