import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

/// Tests/Witness/witness.py, and the Python that can run it: the one that ERRATA_PYTHON names, or .venv/bin/python in
/// the package.
private enum Witness {
  static let python: String? = {
    let named = ProcessInfo.processInfo.environment["ERRATA_PYTHON"]
    return [named, SpecExample.packageRoot + "/.venv/bin/python"].compactMap(\.self).first { path in
      FileManager.default.isExecutableFile(atPath: path)
        && (try? start(path, ["-c", "import numpy, safetensors.numpy, zstandard"]).status) == 0
    }
  }()

  private static func start(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  static func run(_ arguments: String...) throws -> (status: Int32, output: String) {
    try run("witness.py", arguments)
  }

  /// - Parameter program: a file of Tests/Witness.
  static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    try start(python!, [SpecExample.packageRoot + "/Tests/Witness/" + program] + arguments)
  }
}

/// A second implementation, in Python, agrees on every digest and on every byte of a patched checkpoint.
@Suite(.enabled(if: Witness.python != nil, "there is no Python with numpy, safetensors and zstandard"))
struct WitnessTests {
  @Test func agreesOnTheExampleOfTheSpec() throws {
    let (status, output) = try Witness.run(SpecExample.patchPath, SpecExample.basePath, SpecExample.editedPath)
    #expect(status == 0, "\(output)")
    let identifier = try PatchReader(path: SpecExample.patchPath).read().identifier
    #expect(output.hasSuffix("patch \(identifier)\n"))
    #expect(try Witness.run(SpecExample.patchPath, SpecExample.basePath, SpecExample.basePath).status == 1)
    #expect(try Witness.run(SpecExample.patchPath, SpecExample.editedPath).status == 1)
  }

  /// Every sample patch gives the digests that it records, for every tensor that it edits.
  @Test func agreesOnTheSamplePatches() throws {
    let folder = SpecExample.packageRoot + "/SamplePatches"
    let patches = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".wpatch") }
    #expect(patches.count >= 3)
    for name in patches {
      let (status, output) = try Witness.run("\(folder)/\(name)", folder + "/model")
      #expect(status == 0, "\(name): \(output)")
      let patch = try PatchReader(path: "\(folder)/\(name)").read()
      #expect(output.hasSuffix("patch \(patch.identifier)\n"))
      for tensor in patch.manifest.base.tensors.keys {
        #expect(output.contains("ok      \(tensor) has the recorded result\n"), "\(name)")
      }
    }
  }

  /// Both implementations find the same in the test vectors, and refuse the same.
  @Test func agreesOnTheVectors() throws {
    let (status, output) = try Witness.run("vectors.py", [SpecVectors.folder, SpecExample.basePath])
    #expect(status == 0, "\(output)")
  }

  /// The reader of version 0.1.0, as it was: it refuses every file that it would misread, and reads all others.
  @Test func theFirstReaderMisreadsNothing() throws {
    for (name, vector) in try SpecVectors.valid() {
      let path = "\(SpecVectors.folder)/\(name).wpatch"
      let (status, output) = try Witness.run("witness_0_1_0.py", [path, SpecExample.basePath])
      #expect((status == 0) == (vector.manifest.format == 1), "\(name): \(output)")
      #expect(output.contains(status == 0 ? "has the recorded result" : "DIFFERS \(path) begins with the magic frame"))
    }
    let (status, output) = try Witness.run(
      "witness_0_1_0.py", [SpecExample.patchPath, SpecExample.basePath, SpecExample.editedPath])
    #expect(status == 0, "\(output)")
  }

  /// A second implementation that can be read at one sitting, as the Spec says of it.
  @Test func isShort() throws {
    let text = try String(contentsOfFile: SpecExample.packageRoot + "/Tests/Witness/witness.py", encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    #expect(lines.count < 250 && lines.allSatisfy { $0.count <= 120 && !$0.contains(";") })
  }

  /// Several batches, every dtype of factors and of weights, both orientations.
  @Test(arguments: [DType.bf16, .f16, .f32], [DType.f32, .f16, .i8]) func agreesOnRandomPatches(
    _ dtype: DType, _ factorType: DType
  ) throws {
    let directory = try TemporaryDirectory()
    for isTransposed in [false, true] {
      var fixture = PatchFixture(
        factCounts: [3, 1, 5], weights: ["a.weight", "b/c"], outputSize: 17, inputSize: 29, dtype: factorType,
        keys: true, isTransposed: isTransposed, seed: 11)
      let shape: Shape = isTransposed ? [29, 17] : [17, 29]
      var random = SeededGenerator(seed: 12)
      var (base, edited): ([ByteString: (DType, Shape, [UInt8])], [ByteString: (DType, Shape, [UInt8])]) = ([:], [:])
      for weight: ByteString in ["a.weight", "b/c", "untouched"] {
        // Values of very different sizes, so that sums round in every way.
        let values = (0..<17 * 29).map { _ in Float(scalbn(random.gaussian(), Int.random(in: -30...3, using: &random)))
        }
        let stored = values.withUnsafeBufferPointer { narrow($0, to: dtype) }
        base[weight] = (dtype, shape, stored)
        edited[weight] = base[weight]
        // Apply does not touch a tensor without factors: it would turn its negative zeros into positive ones.
        if weight == "untouched" { continue }
        var result = stored
        let ordered = fixture.batches.sorted { $0.digest() < $1.digest() }
        let factors = ordered.flatMap { $0.tensors.filter { $0.name == weight } }
        try stored.withUnsafeBytes { stored in
          try result.withUnsafeMutableBytes { result in
            try applyExactly(
              factors, name: weight, to: stored, dtype: dtype, shape: shape, into: result)
          }
        }
        edited[weight] = (dtype, shape, result)
      }
      func digest(_ tensor: (DType, Shape, [UInt8])) -> Digest {
        var hasher = DigestHasher(tensorOf: tensor.0, shape: tensor.1)
        hasher.update(tensor.2)
        return hasher.finalize()
      }
      let names: [ByteString] = ["a.weight", "b/c"]
      for name in names {
        fixture.manifest.base.tensors[name] = Manifest.BaseTensor(
          dtype: dtype, shape: shape, isTransposed: isTransposed, digest: digest(base[name]!))
      }
      fixture.manifest.result = Dictionary(uniqueKeysWithValues: names.map { ($0, digest(edited[$0]!)) })
      try SafetensorsWriter.write(base, to: directory("base"))
      try SafetensorsWriter.write(edited, to: directory("edited"))
      try PatchWriter.write(fixture.manifest, batches: fixture.batches, to: directory("x.wpatch"))
      let (status, output) = try Witness.run(directory("x.wpatch"), directory("base"), directory("edited"))
      #expect(status == 0, "\(output)")

      // The same batches, of which the first is a patch that the others stand on.
      var (parent, child) = (fixture, fixture)
      (parent.batches, parent.manifest.batches) = ([fixture.batches[0]], [fixture.manifest.batches[0]])
      parent.manifest.result = nil
      child.batches.removeFirst()
      child.manifest.batches.removeFirst()
      let first = try PatchWriter.write(parent.manifest, batches: parent.batches, to: directory("first.wpatch"))
      child.manifest.parents = [
        Manifest.Parent(patch: first.identifier, batches: first.manifest.batches.map(\.digest))
      ]
      try PatchWriter.write(child.manifest, batches: child.batches, to: directory("x.wpatch"))
      let paths = (directory("x.wpatch"), directory("base"), directory("edited"), directory("first.wpatch"))
      let onTop = try Witness.run(paths.0, paths.1, paths.2, paths.3)
      #expect(onTop.status == 0, "\(onTop.output)")
      #expect(try Witness.run(paths.0, paths.1, paths.2).status == 1)
    }
  }
}
