import Foundation
import Safetensors
import Tensors
import Testing

extension ToolTests {
  /// Damaged and hostile files of every kind, given to the tools themselves: they end with one line and an exit code
  /// that is documented, in little memory, without going on for ever, and without having changed any file.
  @Suite struct HostileInputs {
    /// Processor time in seconds after which a tool counts as hanging, and resident memory in bytes that it may take.
    private static let limits = (seconds: 20.0, memory: 256 << 20)

    @Test func patches() throws {
      let files = try HostilePatches.all()
      #expect(files.count >= 200)
      try FaultInjector.forEach(Array(files.enumerated())) { index, file in
        let scratch = try Scratch()
        try scratch.makeFolder("w")
        try scratch.write(file.bytes, to: "w/hostile.wpatch")
        let destination = index % 2 == 0 ? ["--dry-run"] : ["-o", "w/out.safetensors"]
        let base = Samples.root + "/Spec/examples/base.safetensors"
        for command in [["show"], ["verify"], ["apply", base]] {
          let arguments = command + ["w/hostile.wpatch"] + (command[0] == "apply" ? destination : [])
          try expectRefusal(arguments, in: scratch, file.name, mustFail: file.mustFail)
        }
      }
    }

    @Test func weights() throws {
      try expectRefusals(HostileCheckpoints.weights(), checkpoint: "w/model.safetensors") { try $0.makeFolder("w") }
    }

    @Test func indices() throws {
      let base = try Checkpoint(path: Samples.root + "/Spec/examples/base.safetensors")
      let weight = try base.tensor(named: "mlp.down_proj.weight")
      let tensor = (
        dtype: weight.dtype, shape: weight.shape, bytes: withExtendedLifetime(weight) { Array(weight.bytes) }
      )
      try expectRefusals(HostileCheckpoints.indices(), checkpoint: "w") { scratch in
        try scratch.makeFolder("w")
        try scratch.write("{}", to: "w/config.json")
        try SafetensorsWriter.write([weight.name: tensor], to: scratch("w/a.safetensors"))
        try SafetensorsWriter.write(["x": tensor], to: scratch("w/b.safetensors"))
      }
    }

    @Test func ledgersAndUndoRecords() throws {
      let edited = try Scratch()
      try Self.makeEdited(edited)
      let files = try HostileCheckpoints.ledgers(like: edited("w/model.safetensors.errata"))
      try expectRefusals(files, checkpoint: "w/model.safetensors") { try edited.copy("w", to: $0("w")) }
    }

    @Test func journals() throws {
      let edited = try Scratch()
      try Self.makeEdited(edited)
      try expectRefusals(HostileCheckpoints.journals(), checkpoint: "w/model.safetensors") {
        try edited.copy("w", to: $0("w"))
        try $0.makeFolder("w/model.safetensors.errata.change/journal")
      }
    }

    @Test func recordsOfChunks() throws {
      let interrupted = try Scratch()
      try interrupted.makeFolder("w")
      let base = Samples.root + "/Spec/examples/base.safetensors"
      try FileManager.default.copyItem(atPath: base, toPath: interrupted("w/model.safetensors"))
      let rehearsal = try Scratch()
      try interrupted.copy("w", to: rehearsal("w"))
      let command = ["apply", "w/model.safetensors", Self.example, "--in-place"]
      let points = try FaultInjector.measure(command, in: rehearsal, under: "w").points
      let last = try #require(points.last { $0.call == "pwrite" })
      // All is written, and nothing says so.
      let result = try FaultInjector.run(command, .kill(), at: last.number + 1, in: interrupted, under: "w")
      #expect(result.exitCode == FaultInjector.killed)
      let chunks = try interrupted.bytes("w/model.safetensors.errata.change/journal/chunks")
      try expectRefusals(HostileCheckpoints.chunkRecords(Array(chunks)), checkpoint: "w/model.safetensors") {
        try interrupted.copy("w", to: $0("w"))
      }
      // As it is, it is taken back.
      try interrupted.succeed("verify", "w/model.safetensors", "--base", base)
      #expect(try interrupted.names(in: "w") == ["model.safetensors"])
      #expect(try Digest(contentsOf: interrupted("w/model.safetensors")) == Digest(contentsOf: base))
    }

    // MARK: What is common

    private static let example = Samples.root + "/Spec/examples/example.wpatch"

    private static func makeEdited(_ scratch: Scratch) throws {
      try scratch.makeFolder("w")
      try scratch.succeed(
        "apply", Samples.root + "/Spec/examples/base.safetensors", example, "-o", "w/model.safetensors")
    }

    /// - Parameter prepare: makes what the damaged file belongs to, in the folder `w`.
    private func expectRefusals(
      _ files: [HostileCheckpoint], checkpoint: String, prepare: @Sendable (Scratch) throws -> Void
    ) throws {
      try FaultInjector.forEach(Array(files.enumerated())) { index, file in
        let scratch = try Scratch()
        try prepare(scratch)
        try scratch.write(file.bytes, to: "w/\(file.path)")
        let isEdited = scratch.exists("w/model.safetensors.errata")
        let change = isEdited ? ["revert", checkpoint] : ["apply", checkpoint, Self.example]
        let destinations = [["-o", "out"], ["--in-place"], ["--dry-run"]]
        let destination = destinations[index % 3]
        // Show does not look at tensors and undo records.
        try expectRefusal(["show", checkpoint], in: scratch, file.name, mustFail: false)
        try expectRefusal(["verify", checkpoint], in: scratch, file.name, mustFail: false)
        try expectRefusal(change + destination, in: scratch, file.name, mustFail: file.mustFail)
      }
    }

    /// Expects that a tool refuses a file, or, if it may take it, that it does that properly.
    private func expectRefusal(_ arguments: [String], in scratch: Scratch, _ name: String, mustFail: Bool) throws {
      let before = try scratch.tree("")
      let run = try FaultInjector.measure(arguments, in: scratch, under: "")
      let remark =
        "\(name): errata \(arguments.joined(separator: " ")): exit code \(run.result.exitCode), \(run.result.errors)"
      #expect(run.seconds < Self.limits.seconds, "\(remark)")
      #expect(run.peakMemory < Self.limits.memory, "\(run.peakMemory >> 20) MiB: \(remark)")
      guard run.result.exitCode != 0 || mustFail else {
        #expect(run.result.errors == "", "\(remark)")
        return
      }
      #expect([1, 3, 4, 5, 6].contains(run.result.exitCode), "\(remark)")
      #expect(run.result.errors.hasPrefix("errata \(arguments[0]): "), "\(remark)")
      #expect(run.result.errors.last == "\n" && run.result.errors.filter(\.isNewline).count == 1, "\(remark)")
      #expect(!run.result.errors.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" }, "\(remark)")
      #expect(run.result.errors.utf8.count < 10_000, "\(remark)")
      #expect(try scratch.tree("") == before, "\(remark)")
    }
  }
}
