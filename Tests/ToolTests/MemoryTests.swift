import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

/// What the patch tools take of memory, as the kernel counts it: less than the patch and much less than the checkpoint.
extension ToolTests {
  @Suite struct MemoryTests {
    private static let limit = 256 << 20
    private static let edited = (0..<4).map { ByteString("w.\($0)") }
    private static let (outputs, inputs, rank) = (64, 65_536, 550)

    /// A checkpoint of 600 MB, mostly holes.
    private func makeCheckpoint(_ path: String) throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try "{}".write(toFile: path + "/config.json", atomically: false, encoding: .utf8)
      let shape: Shape = [Self.outputs, Self.inputs]
      let header = try SafetensorsHeader(
        declaring: Self.edited.map { TensorDeclaration(name: $0, dtype: .bf16, shape: shape) } + [
          TensorDeclaration(name: "embedding", dtype: .bf16, shape: [283, 1_000_000])
        ], source: path)
      try Data(header.bytes).write(to: URL(fileURLWithPath: path + "/model.safetensors"))
      try #require(truncate(path + "/model.safetensors", off_t(header.fileByteCount)) == 0)
    }

    /// 290 MB of factors, which compress well, for it.
    private func makePatch(_ path: String, for checkpoint: String) throws {
      var random = SeededGenerator(seed: 3)
      let noise = (0..<1 << 19).map { _ in UInt16(truncatingIfNeeded: random.next()) & 0xBFFF }
        .withUnsafeBytes(Array.init)
      func factor(_ rows: Int, _ columns: Int) -> StoredFactor {
        let count = 2 * rows * columns
        var bytes: [UInt8] = []
        while bytes.count < count { bytes.append(contentsOf: noise.prefix(count - bytes.count)) }
        return StoredFactor(
          dtype: .f16, rows: rows, columns: columns, bytes: bytes,
          exponents: Array(repeating: -8, count: Self.rank))
      }
      let (left, right) = (factor(Self.outputs, Self.rank), factor(Self.rank, Self.inputs))
      let base = try Checkpoint(path: checkpoint)
      let bases = try Self.edited.map { name in
        let tensor = try base.tensor(named: name)
        return (
          name,
          Manifest.BaseTensor(
            dtype: tensor.dtype, shape: tensor.shape, isTransposed: false, digest: tensor.digest())
        )
      }
      let manifest = Manifest(
        created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
        base: Manifest.Base(tensors: Dictionary(uniqueKeysWithValues: bases)),
        batches: [
          Manifest.Batch(
            method: Manifest.Method(name: "emmet", lambda: 0.5, layers: []),
            facts: (0..<Self.rank).map { Manifest.Fact(subject: "S\($0)", prompt: "{} is", targetNew: "x") })
        ])
      let factors = Self.edited.map { LowRankFactors(name: $0, isTransposed: false, left: left, right: right) }
      try PatchWriter.write(manifest, batches: [EditBatch(tensors: factors)], to: path)
    }

    @Test func staysBelowTheLimit() throws {
      let scratch = try Scratch()
      try makeCheckpoint(scratch("base"))
      try makePatch(scratch("x.wpatch"), for: scratch("base"))
      for (tool, arguments) in [
        ("show", ["x.wpatch"]), ("verify", ["x.wpatch"]), ("apply", ["base", "x.wpatch", "-o", "edited", "--quiet"]),
        ("verify", ["edited", "--base", "base", "--quiet"]), ("show", ["edited"]),
        ("revert", ["edited", "-o", "restored", "--quiet"]), ("apply", ["base", "x.wpatch", "--in-place", "--quiet"]),
        ("revert", ["base", "--in-place", "--quiet"]),
      ] {
        // Not started by this process itself: what a process takes before it becomes the tool would count too.
        let run = try FaultInjector.measure([tool] + arguments, in: scratch, under: "")
        #expect(run.result.exitCode == 0, "\(tool): \(run.result.errors)")
        #expect(run.peakMemory < Self.limit, "\(tool): \(run.peakMemory >> 20) MiB")
      }
      #expect(
        try Digest(contentsOf: scratch("restored/model.safetensors"))
          == Digest(contentsOf: scratch("base/model.safetensors")))
    }
  }
}
