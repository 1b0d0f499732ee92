import Foundation
import Safetensors
import Tensors
import TestSupport

@testable import WeightPatch

extension SeededGenerator {
  mutating func matrix(_ rows: Int, _ columns: Int, scale: Double = 1) -> Matrix<Double> {
    Matrix(
      rows: rows, columns: columns,
      elements: (0..<rows * columns).map { _ in .random(in: -scale...scale, using: &self) })
  }
}

/// A patch of random numbers: as many batches as `factCounts` has elements, each editing the same tensors.
struct PatchFixture {
  var manifest: Manifest
  var batches: [EditBatch]

  init(
    factCounts: [Int] = [2], weights: [ByteString] = ["model.layers.0.mlp.down_proj.weight"], outputSize: Int = 3,
    inputSize: Int = 4, dtype: DType = .f16, keys: Bool = false, isTransposed: Bool = false, seed: UInt64 = 1
  ) {
    var generator = SeededGenerator(seed: seed)
    batches = factCounts.map { count in
      EditBatch(
        tensors: weights.map { weight in
          let gram = generator.matrix(count, count)
          return LowRankFactors(
            name: weight, isTransposed: isTransposed,
            left: StoredFactor(generator.matrix(outputSize, count).narrowed(), dtype: dtype, facts: .columns),
            right: StoredFactor(generator.matrix(count, inputSize).narrowed(), dtype: dtype, facts: .rows),
            gram: symmetricMatrix(packed: packedLowerTriangle(gram), size: count),
            keys: keys ? StoredFactor(generator.matrix(count, inputSize).narrowed(), dtype: .f32, facts: .rows) : nil)
        })
    }
    let shape: Shape = isTransposed ? [inputSize, outputSize] : [outputSize, inputSize]
    let base = Manifest.BaseTensor(
      dtype: .bf16, shape: shape, isTransposed: isTransposed, digest: Digest(of: [1]))
    manifest = Manifest(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
      base: Manifest.Base(tensors: Dictionary(uniqueKeysWithValues: weights.map { ($0, base) })),
      batches: factCounts.enumerated().map { index, count in
        Manifest.Batch(
          method: Manifest.Method(name: "emmet", lambda: 0.5, layers: [0]),
          facts: (0..<count).map {
            Manifest.Fact(subject: "Subject \($0)", prompt: "{} is in batch", targetNew: "\(index)")
          })
      })
  }

  /// The file's bytes.
  func bytes() throws -> [UInt8] {
    let directory = try TemporaryDirectory()
    try PatchWriter.write(manifest, batches: batches, to: directory("x.wpatch"))
    return try Array(Data(contentsOf: URL(fileURLWithPath: directory("x.wpatch"))))
  }
}

/// Reads a patch that is in memory.
func readPatch(_ bytes: [UInt8], limits: PatchLimits = PatchLimits()) throws -> Patch {
  try bytes.withUnsafeBytes { try PatchReader(bytes: $0, source: "x.wpatch", limits: limits).read() }
}

/// A patch whose last frame is replaced by the seal that fits, as a forger would.
func resealed(_ bytes: [UInt8]) -> [UInt8] {
  let body = Array(bytes.dropLast(PatchContainer.sealByteCount))
  return body + PatchContainer.seal(Digest(of: body))
}

/// A sealed patch with the given header and content, which need not be valid.
func forgedPatch(header: [UInt8], content: [[UInt8]], format: Int = 1) throws -> [UInt8] {
  let compressor = ZstdCompressor(level: 1)
  let body =
    try PatchContainer.magicFrame(format: format)
    + ([header] + content).flatMap {
      try $0.withUnsafeBytes { try compressor.frame($0) }
    }
  return body + PatchContainer.seal(Digest(of: body))
}
