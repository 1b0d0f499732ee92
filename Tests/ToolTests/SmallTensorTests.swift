import Foundation
import Safetensors
import Tensors
import Testing

@testable import WeightPatch

extension ToolTests {
  /// Waiting for the disk goes with bytes, not with tensors.
  @Suite struct SmallTensors {
    private static let count = 300
    private static let shape: Shape = [16, 16]

    private func makeCheckpoint(in scratch: Scratch) throws {
      try scratch.makeFolder("w")
      let names = (0..<Self.count).map { ByteString("layers.\($0).weight") }
      let bytes = (0..<512).map { UInt8($0 % 61) }
      try SafetensorsWriter.write(
        Dictionary(uniqueKeysWithValues: names.map { ($0, (dtype: DType.bf16, shape: Self.shape, bytes: bytes)) }),
        to: scratch("w/model.safetensors"))
      func factor(_ rows: Int, _ columns: Int) -> StoredFactor {
        let values = [Float](repeating: 0.25, count: rows * columns)
        return StoredFactor(
          dtype: .f32, rows: rows, columns: columns, bytes: values.withUnsafeBytes { Array($0) }, exponents: nil)
      }
      let batch = EditBatch(
        tensors: names.map {
          LowRankFactors(
            name: $0, isTransposed: false, left: factor(16, 1), right: factor(1, 16), gram: nil, keys: nil,
            correction: nil)
        })
      let digest = try Checkpoint(path: scratch("w/model.safetensors")).digest(of: names[0])
      let tensor = Manifest.BaseTensor(dtype: .bf16, shape: Self.shape, isTransposed: false, digest: digest)
      let manifest = Manifest(
        created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "tests", version: "0"),
        base: Manifest.Base(tensors: Dictionary(uniqueKeysWithValues: names.map { ($0, tensor) })), result: nil,
        batches: [
          Manifest.Batch(
            method: Manifest.Method(name: "emmet", lambda: 0.5, layers: [0]),
            facts: [Manifest.Fact(subject: "S", prompt: "{} is", targetNew: "x")])
        ])
      try PatchWriter.write(manifest, batches: [batch], to: scratch("x.wpatch"))
    }

    @Test(arguments: ["--in-place", "-o w/out.safetensors"]) func fewFlushes(destination: String) throws {
      let scratch = try Scratch()
      try makeCheckpoint(in: scratch)
      let arguments = ["apply", "w/model.safetensors", "x.wpatch"] + destination.split(separator: " ").map(String.init)
      let run = try FaultInjector.measure(arguments, in: scratch, under: "w")
      #expect(run.result.exitCode == 0, "\(run.result.errors)")
      let flushes = run.points.filter { ["fsync", "fdatasync", "syncfs"].contains($0.call) }
      #expect(flushes.count < 30, "\(flushes)")
      try scratch.succeed("verify", destination == "--in-place" ? "w/model.safetensors" : "w/out.safetensors")
    }

    /// A loss of power at every hundredth point: records of many tensors are flushed together, and none is missed.
    @Test func powerLost() throws {
      let scene = try Scratch()
      try makeCheckpoint(in: scene)
      try scene.copy("w", to: "base")
      let command = ["apply", "w/model.safetensors", "x.wpatch", "--in-place"]
      let rehearsal = try Scratch()
      for name in ["w", "x.wpatch"] { try scene.copy(name, to: rehearsal(name)) }
      let points = try FaultInjector.measure(command, in: rehearsal, under: "w").points
      let (before, after) = (try scene.bytes("w/model.safetensors"), try rehearsal.bytes("w/model.safetensors"))
      let last = points.suffix(40).map(\.number)
      try FaultInjector.forEach(points.map(\.number).filter { $0 % 100 == 1 || last.contains($0) }) { number in
        let scratch = try Scratch()
        for name in ["w", "base", "x.wpatch"] { try scene.copy(name, to: scratch(name)) }
        for loss in [FaultInjector.Loss.entries] {
          _ = try FaultInjector.run(command, .kill(loss: loss), at: number, in: scratch, under: "w")
          try scratch.succeed("verify", "w/model.safetensors", "--base", "base/model.safetensors")
          let found = try scratch.bytes("w/model.safetensors")
          #expect(found == before || found == after, "\(points[number - 1])")
        }
      }
    }
  }
}
