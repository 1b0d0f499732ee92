import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import PatchAlgebra

@Suite struct DropTests {
  static let samples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "SamplePatches").path

  @Test func whatRemainsIsTheEditOfTheOtherFacts() throws {
    let directory = try TemporaryDirectory()
    let edit = try DirectEdit()
    let batch = EditBatch(tensors: [try edit.factors(lambda: 0.05, left: .f32, keys: true)])
    let file = try patchFile([batch], lambda: 0.05, in: directory)
    let fourth = file.patch.manifest.batches[0].facts[3].identifier
    let patch = try file.dropping(["Subject 1", String(fourth.prefix(6)).uppercased()]).readBack(directory)
    let kept = [0, 2, 4, 5]
    #expect(patch.manifest.batches[0].facts.map(\.subject) == kept.map { "Subject \($0)" })
    let factors = patch.batches[0].tensors[0]
    let found = try #require(factors.leftValues()).widened()
      .multiplied(by: try #require(factors.rightValues()).widened())
    let keys = edit.keys(kept)
    let wanted = try edit.delta(lambda: 0.05, facts: kept)
    #expect(relativeError(found.multiplied(by: keys).elements, wanted.multiplied(by: keys).elements) < 3e-3)
    #expect(try #require(factors.keyValues()).widened() == keys.transposed())
  }

  @Test func oneFactThatRemainsKeepsTheRecordedLambda() throws {
    let directory = try TemporaryDirectory()
    let edit = try DirectEdit(factCount: 2)
    let batch = EditBatch(tensors: [try edit.factors(lambda: 0.5, left: .f32, keys: false)])
    let derived = try patchFile([batch], lambda: 0.5, in: directory).dropping(["Subject 0"])
    #expect(derived.manifest.batches[0].method.lambda == 0.5 && derived.manifest.batches[0].method.alpha == 0.5)
    let delta = try #require(derived.batches[0].tensors[0].deltaNorm())
    #expect(abs(delta - (try edit.delta(lambda: 0.5, facts: [1])).frobeniusNorm) < 1e-3 * delta)
  }

  @Test func aBatchWithoutFactsGoes() throws {
    let directory = try TemporaryDirectory()
    let batches = try [("v", 1), ("w", 2)].map { name, count in
      EditBatch(
        tensors: [
          try DirectEdit(factCount: count).factors(lambda: 0.5, ByteString(name), left: .f32, keys: false)
        ])
    }
    let file = try patchFile(batches, lambda: 0.5, in: directory)
    let gone = file.patch.manifest.batches[0].facts[0].identifier
    let patch = try file.dropping([gone]).readBack(directory)
    #expect(Array(patch.manifest.base.tensors.keys) == ["w"])
    #expect(patch.manifest.batches.map(\.digest) == [file.patch.manifest.batches[1].digest])
    #expect(patch.manifest.batches[0].facts.allSatisfy { $0.outcome?.probabilityAfter == nil })
    #expect(patch.manifest.derivation?.change == "without \(gone)")
  }

  @Test func aSamplePatchLosesAFactAndAppliesToItsBase() throws {
    let directory = try TemporaryDirectory()
    let file = try PatchFile(path: Self.samples + "/twenty-facts.wpatch")
    var derived = try file.dropping(["Leo Tolstoy"])
    try derived.recordResult(onBase: LockedCheckpoint(path: Self.samples + "/model"))
    let patch = try derived.readBack(directory)
    #expect(patch.manifest.batches[0].facts.count == 19)
    #expect(!patch.manifest.batches[0].facts.contains { $0.subject == "Leo Tolstoy" })
    let (before, after) = (file.patch.batches[0].tensors[0], patch.batches[0].tensors[0])
    #expect(after.rank == 19 && after.outputSize == before.outputSize && after.inputSize == before.inputSize)
    #expect(after.gram?.rows == 19 && patch.identifier != file.identifier)
    #expect(Set(try #require(patch.manifest.result).keys) == [after.name])

    // Writing compares with the digests that the patch records.
    let plan = try CheckpointState(path: Self.samples + "/model")
      .planApply([PatchFile(path: directory("to.wpatch"))], time: "2026-02-01T12:00:00Z")
    _ = try plan.write(to: directory("edited"))
    let digest = try Checkpoint(path: directory("edited")).digest(of: after.name)
    #expect(digest == patch.manifest.result?[after.name])
  }
}
