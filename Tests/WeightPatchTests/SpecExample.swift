import Foundation
import Safetensors
import Tensors

@testable import WeightPatch

/// The worked example of Spec/wpatch.md: two facts, one 3 x 4 tensor, numbers that can be checked by hand.
///
/// C is the identity, so B = K^T and G = K^T K; lambda is 1. The files stand in Spec/examples; a test compares them
/// with what is made here, and writes them anew where ERRATA_WRITE_EXAMPLES is set.
enum SpecExample {
  static let weight: ByteString = "mlp.down_proj.weight"
  static let shape: Shape = [3, 4]
  /// W in bfloat16, the multiples of 0.1 from 0 to 1.1, rounded.
  static let base = narrow((0..<12).map { Float($0) / 10 }, to: .bf16)

  static let batch: EditBatch = {
    let keys = Matrix<Double>(rows: 2, columns: 4, elements: [1, 0, 2, 0, 1, 1, 0, 1])
    let left = Matrix<Float>(rows: 3, columns: 2, elements: [0.5, -1, 0, 0.25, 2, 1.5])
    return EditBatch(
      tensors: [
        LowRankFactors(
          name: weight, isTransposed: false, left: StoredFactor(left, dtype: .f32, facts: .columns),
          right: StoredFactor(keys.narrowed(), dtype: .f16, facts: .rows), gram: plainProduct(keys, keys.transposed()))
      ])
  }()

  /// The tensor's bytes after exact apply.
  static func edited() throws -> [UInt8] {
    var result = base
    try base.withUnsafeBytes { base in
      try result.withUnsafeMutableBytes { result in
        try applyExactly(
          batch.tensors, name: weight, to: base, dtype: .bf16, shape: shape, into: result)
      }
    }
    return result
  }

  static func manifest() throws -> Manifest {
    let figures = batch.tensors[0]
    let weights = base.withUnsafeBytes { Matrix(rows: 3, columns: 4, stored: $0, dtype: .bf16) }.widened()
    return Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "errata", version: "0.1.0"),
      base: Manifest.Base(
        name: "example", architecture: "llama",
        tensors: [
          weight: Manifest.BaseTensor(dtype: .bf16, shape: shape, isTransposed: false, digest: digest(base))
        ]),
      result: [weight: digest(try edited())],
      batches: [
        Manifest.Batch(
          method: Manifest.Method(
            name: "memit", lambda: 1, secondMomentWeight: 1, layers: [0],
            hyperparameters: Manifest.Hyperparameters(learningRate: 0.5, steps: 20, seed: 0, templates: ["{}"])),
          facts: [
            Manifest.Fact(
              subject: "Kazakhstan", prompt: "The capital of {} is", targetNew: "Astana", targetTrue: "Nur-Sultan",
              outcome: Manifest.Outcome(steps: 12, loss: 0.04, probabilityBefore: 0.125, probabilityAfter: 0.9375)),
            Manifest.Fact(subject: "Pluto", prompt: "{} is a", targetNew: "dwarf planet", targetTrue: "planet"),
          ],
          tensors: [
            weight: Manifest.TensorFigures(
              layer: 0, deltaNorm: figures.deltaNorm(), weightNorm: weights.elementwiseDot(weights).squareRoot(),
              storageError: 0, preservation: figures.preservation())
          ])
      ],
      author: "The Errata authors", licence: "CC0-1.0")
  }

  private static func digest(_ bytes: [UInt8]) -> Digest {
    var hasher = DigestHasher(tensorOf: .bf16, shape: shape)
    hasher.update(bytes)
    return hasher.finalize()
  }

  private static func narrow(_ values: [Float], to dtype: DType) -> [UInt8] {
    values.withUnsafeBufferPointer { Tensors.narrow($0, to: dtype) }
  }

  // MARK: Files

  static let packageRoot = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
  static let folder = packageRoot + "/Spec/examples"
  static let patchPath = folder + "/example.wpatch"
  static let basePath = folder + "/base.safetensors"
  static let editedPath = folder + "/edited.safetensors"

  static let isToBeWritten = ProcessInfo.processInfo.environment["ERRATA_WRITE_EXAMPLES"] != nil

  /// Writes the three files into `folder`.
  static func write(to folder: String) throws {
    try PatchWriter.write(manifest(), batches: [batch], to: folder + "/example.wpatch")
    try SafetensorsWriter.write([weight: (.bf16, shape, base)], to: folder + "/base.safetensors")
    try SafetensorsWriter.write([weight: (.bf16, shape, edited())], to: folder + "/edited.safetensors")
  }
}
