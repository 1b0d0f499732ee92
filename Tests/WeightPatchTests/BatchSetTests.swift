import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

@Suite struct BatchSetTests {
  private let fixture: CheckpointFixture
  private let files: [PatchFile]

  init() throws {
    let fixture = try CheckpointFixture(.singleFile)
    self.fixture = fixture
    files = try [UInt64(5), 6].map { seed in
      try fixture.patch("\(seed).wpatch", [fixture.batch(seed: seed), fixture.batch(facts: 3, seed: seed + 10)])
    }
  }

  private func tensor(_ name: ByteString) throws -> StoredTensor {
    try Checkpoint(path: fixture.path).tensor(named: name)
  }

  /// From files or from memory, in any order, once or twice: the same set, the same bytes.
  @Test func aSet() throws {
    let set = BatchSet(files)
    #expect(set.digests == Set(files.flatMap { $0.manifest.batches.map(\.digest) }))
    #expect(set.members.map(\.digest) == set.members.map(\.digest).sorted())
    let inMemory = BatchSet(files.flatMap(\.patch.batches))
    let joined = BatchSet([files[1]]).union(BatchSet([files[0]])).union(inMemory)
    for other in [inMemory, joined, BatchSet(files + files)] {
      #expect(other.digests == set.digests && other.tensors == set.tensors && other.members.count == set.members.count)
      for name in set.tensors.sorted() {
        #expect(try other.applied(to: tensor(name)) == set.applied(to: tensor(name)))
      }
    }
  }

  /// The state is base plus set: what apply writes is what the set makes of the base.
  @Test func givesWhatApplyWrites() throws {
    let output = fixture.directory("edited")
    let plan = try CheckpointState(path: fixture.path).planApply(files, time: "2026-02-01T00:00:00Z")
    let report = try plan.write(to: output)
    let edited = try CheckpointState(path: output)
    #expect(edited.batches.digests == BatchSet(files).digests && plan.batches.digests == edited.batches.digests)
    for written in report.tensors {
      let base = try tensor(written.name)
      #expect(try edited.batches.digest(of: base) == written.after)
      let stored = try edited.checkpoint.tensor(named: written.name)
      #expect(try edited.batches.applied(to: base) == withExtendedLifetime(stored) { Array(stored.bytes) })
      // The base's bytes may also be brought.
      let brought = try withExtendedLifetime(base) { try edited.batches.applied(to: stored, base: base.bytes) }
      #expect(Digest(tensorOf: base.dtype, shape: base.shape, bytes: brought) == written.after)
    }
  }

  @Test func nothingChangesNothing() throws {
    let name = CheckpointFixture.matrices[0].name
    let base = try tensor(name)
    #expect(try BatchSet([EditBatch]()).digest(of: base) == base.digest())
    #expect(BatchSet(files).members(editing: "model.norm.weight").isEmpty)
  }
}
