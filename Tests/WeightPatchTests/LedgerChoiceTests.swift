import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// A weight file can be named by its directory and by itself; that must not lead to two ledgers.
@Suite struct LedgerChoiceTests {
  private func refuses(_ path: String, forWriting: Bool, _ message: String) {
    #expect(throws: ErrataError(.usage, message)) { try LockedCheckpoint(path: path, forWriting: forWriting) }
  }

  @Test(arguments: [CheckpointFixture.Layout.singleFile, .sharded])
  func aPartOfACheckpointIsNoCheckpoint(layout: CheckpointFixture.Layout) throws {
    let fixture = try CheckpointFixture(layout)
    let patch = try fixture.patch("p", [fixture.batch(["model.a.weight"], seed: 1)])
    let files = try Checkpoint(path: fixture.path).shards.map(\.path)
    // What is read alone may be a part.
    for file in files {
      _ = try LockedCheckpoint(path: file)
      refuses(file, forWriting: true, "\(file): is a part of the checkpoint \(fixture.path); name that")
    }
    // With the ledger's tensors in another file, it says nothing of this one, and yet it is the ledger.
    try applyInPlace([patch], fixture.path)
    for file in files {
      for forWriting in [false, true] {
        refuses(file, forWriting: forWriting, "\(file): is a part of the checkpoint \(fixture.path); name that")
      }
    }
    try revertInPlace([patch], fixture.path)
    for file in files { _ = try LockedCheckpoint(path: file) }
  }

  /// A file that lay alone when it was patched, and a configuration that came to it.
  @Test func aFileWithALedgerStaysACheckpoint() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let (file, configuration) = (fixture.path + "/model.safetensors", fixture.path + "/config.json")
    let before = try fileDigests(file)
    try FileManager.default.removeItem(atPath: configuration)
    try applyInPlace([patch], file)
    try AtomicFile.write(Array("{}".utf8), to: configuration)
    for forWriting in [false, true] {
      refuses(
        fixture.path, forWriting: forWriting,
        "\(fixture.path): its file \(file) has a ledger of its own; name the file, or take its patches back first")
    }
    try revertInPlace([patch], file)
    #expect(try fileDigests(file) == before)
    _ = try LockedCheckpoint(path: fixture.path, forWriting: true)
  }

  /// Other files in the directory are not the checkpoint's.
  @Test func otherFilesAreLeftAlone() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let other = fixture.path + "/other.safetensors"
    try FileManager.default.copyItem(atPath: fixture.path + "/model.safetensors", toPath: other)
    try applyInPlace([patch], other)
    try applyInPlace([patch], fixture.path)
    #expect(try CheckpointState(path: other).isEdited)
  }
}
