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

    /// Runs a tool to its end.
    ///
    /// - Returns: the peak of its resident memory in bytes, mapped files included.
    private func peakMemory(_ tool: String, _ arguments: [String]) throws -> Int {
      let path = "\(Tool.folder)/errata-\(tool)"
      var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
      words.append(nil)
      defer { for word in words { free(word) } }
      var process = pid_t()
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
      try #require(posix_spawn(&process, path, &actions, nil, words, environ) == 0)
      var (status, usage) = (Int32(0), rusage())
      try #require(wait4(process, &status, 0, &usage) == process)
      try #require(status == 0, "\(tool) failed")
      return usage.ru_maxrss * 1024
    }

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
        let paths = arguments.map { $0.hasPrefix("-") ? $0 : scratch($0) }
        let peak = try peakMemory(tool, paths)
        #expect(peak < Self.limit, "\(tool): \(peak >> 20) MiB")
      }
      #expect(
        try Digest(contentsOf: scratch("restored/model.safetensors"))
          == Digest(contentsOf: scratch("base/model.safetensors")))
    }
  }
}
