import Foundation
import Safetensors
import Tensors
import Testing

@testable import WeightPatch

@Suite struct InPlaceTests {
  private static func applyInPlace(_ files: [PatchFile], _ path: String) throws {
    try CheckpointState(path: path, forWriting: true).planApply(files, time: "2026-02-01T00:00:00Z").writeInPlace()
  }

  private static func revertInPlace(_ files: [PatchFile], _ path: String) throws {
    try CheckpointState(path: path, forWriting: true).planRevert(Set(files.map(\.identifier))).writeInPlace()
  }

  @Test(arguments: CheckpointFixture.Layout.allCases)
  func givesTheSameFilesAsAnOutput(layout: CheckpointFixture.Layout) throws {
    let fixture = try CheckpointFixture(layout)
    let before = try fileDigests(fixture.path)
    let first = try fixture.patch("p0", [fixture.batch(["model.a.weight", "model.b.weight"], seed: 1)])
    let second = try fixture.patch("p1", [fixture.batch(["model.a.weight", "model.c.weight"], seed: 2)])
    let (one, both, other) = (fixture.output("one"), fixture.output("both"), fixture.output("other"))
    try apply([first], to: fixture.path, output: one)
    try apply([second], to: one, output: both)
    try apply([second], to: fixture.path, output: other)

    try Self.applyInPlace([first], fixture.path)
    #expect(try fileDigests(fixture.path) == fileDigests(one))
    try Self.applyInPlace([second], fixture.path)
    #expect(try fileDigests(fixture.path) == fileDigests(both))
    try Self.revertInPlace([first], fixture.path)
    #expect(try fileDigests(fixture.path) == fileDigests(other))
    try Self.revertInPlace([second], fixture.path)
    #expect(try fileDigests(fixture.path) == before)
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(!names.contains { $0.contains(".errata.") })
  }

  /// A crash after the commit, wherever: the next run, reading or writing, ends in the new state.
  @Test(arguments: [CheckpointFixture.Layout.sharded, .bareFile], 0..<5)
  func aCommittedChangeIsFinishedByTheNextRun(layout: CheckpointFixture.Layout, crash: Int) throws {
    let fixture = try CheckpointFixture(layout)
    let first = try fixture.patch("p0", [fixture.batch(seed: 1)])
    let second = try fixture.patch("p1", [fixture.batch(seed: 2)])
    let expected = fixture.output("expected")
    try apply([first], to: fixture.path, output: fixture.output("one"))
    try apply([second], to: fixture.output("one"), output: expected)
    try Self.applyInPlace([first], fixture.path)

    let location = LedgerLocation(checkpoint: fixture.path, isDirectory: layout != .bareFile)
    do {
      let state = try CheckpointState(path: fixture.path, forWriting: true)
      _ = try state.planApply([second], time: "2026-02-01T00:00:00Z").commitJournal { _, _ in }
      let manager = FileManager.default
      switch crash {
      case 0: break
      case 1:  // in the middle of a tensor
        let tensor = try state.checkpoint.tensor(named: "model.b.weight")
        try FileRegionWriter(path: tensor.file.path).write([1, 2, 3, 4, 5], at: tensor.info.fileRange.lowerBound + 7)
      case 2:  // with all tensors written, between the two renames
        try InPlaceJournal.finish(state.checkpoint, location)
        try manager.moveItem(atPath: location.directory, toPath: location.next.directory)
        try manager.copyItem(atPath: location.next.directory, toPath: location.previous)
        try Self.remakeJournal(state, in: location.next)
      case 3:  // with the old ledger not removed
        try InPlaceJournal.finish(state.checkpoint, location)
        try manager.copyItem(atPath: location.directory, toPath: location.previous)
      default:  // with a journal that is not removed, and one that was never committed
        try InPlaceJournal.finish(state.checkpoint, location)
        try manager.createDirectory(atPath: location.journal, withIntermediateDirectories: true)
        try manager.createDirectory(atPath: location.next.directory + ".abc", withIntermediateDirectories: true)
      }
    }
    if crash < 3 {
      #expect(try CheckpointState(path: fixture.path).wasRepaired)
    } else {
      #expect(try !CheckpointState(path: fixture.path, forWriting: true).wasRepaired)
    }
    #expect(try fileDigests(fixture.path) == fileDigests(expected))
  }

  /// A journal whose writes are what the tensors hold already.
  private static func remakeJournal(_ state: CheckpointState, in next: LedgerLocation) throws {
    try FileManager.default.createDirectory(atPath: next.journal, withIntermediateDirectories: true)
    let tensor = try state.checkpoint.tensor(named: "model.a.weight")
    let bytes = Array(tensor.bytes)
    try AtomicFile.write(bytes, to: InPlaceJournal.bytes(of: 0, in: next.journal))
    let journal = InPlaceJournal(writes: [.init(tensor: tensor.name, digest: tensor.digest())])
    try AtomicFile.write(journal.serialized(), to: InPlaceJournal.manifest(in: next.journal))
  }

  @Test func whatFailsBeforeTheCommitChangesNothing() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)]) { $0.result?["model.c.weight"] = Digest(of: []) }
    let before = try fileDigests(fixture.path)
    #expect { try Self.applyInPlace([patch], fixture.path) } throws: {
      ($0 as? ErrataError)?.category == .verification
    }
    #expect(try fileDigests(fixture.path) == before)
  }

  @Test func oneWriterAtATime() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let busy = ErrataError(.conflict, "\(fixture.path): is in use by another errata; try again when that is done")
    do {
      let writer = try CheckpointState(path: fixture.path, forWriting: true)
      #expect(throws: busy) { try CheckpointState(path: fixture.path, forWriting: true) }
      #expect(throws: busy) { try CheckpointState(path: fixture.path) }
      withExtendedLifetime(writer) {}
    }
    do {
      let readers = try [CheckpointState(path: fixture.path), CheckpointState(path: fixture.path)]
      #expect(throws: busy) { try CheckpointState(path: fixture.path, forWriting: true) }
      withExtendedLifetime(readers) {}
    }
    _ = try CheckpointState(path: fixture.path, forWriting: true)
  }

  @Test func sharedFilesAreLeftAlone() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let file = fixture.path + "/model.safetensors"
    try FileManager.default.linkItem(atPath: file, toPath: fixture.directory("other"))
    let before = try fileDigests(fixture.path)
    #expect(
      throws: ErrataError(
        .general,
        "\(file): is a link, or has other names, which would change too; write to another place with --output instead")
    ) { try Self.applyInPlace([patch], fixture.path) }
    #expect(try fileDigests(fixture.path) == before)
  }

  /// A journal may name only tensors of the checkpoint, and only bytes that are a tensor's.
  @Test func aHostileJournalIsRefused() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let before = try fileDigests(fixture.path)
    let location = LedgerLocation(checkpoint: fixture.path, isDirectory: true)
    let tensor = try Checkpoint(path: fixture.path).tensor(named: "model.a.weight")
    let bytes = Array(tensor.bytes)
    for (name, bytes, digest) in [
      ("model.z.weight", bytes, tensor.digest()), ("../victim", bytes, tensor.digest()), ("", bytes, tensor.digest()),
      ("model.a.weight", Array(bytes.dropLast()), tensor.digest()), ("model.a.weight", bytes + [0], tensor.digest()),
      ("model.a.weight", [], tensor.digest()), ("model.a.weight", bytes, Digest(of: bytes)),
      ("model.a.weight", bytes.map { $0 ^ 1 }, tensor.digest()),
    ] {
      try FileManager.default.createDirectory(atPath: location.next.journal, withIntermediateDirectories: true)
      try AtomicFile.write(bytes, to: InPlaceJournal.bytes(of: 0, in: location.next.journal))
      let journal = InPlaceJournal(writes: [.init(tensor: ByteString(name), digest: digest)])
      let path = InPlaceJournal.manifest(in: location.next.journal)
      try AtomicFile.write(journal.serialized(), to: path)
      #expect(
        throws: ErrataError(
          .damagedInput, "\(path): damaged journal of an unfinished change; restore the checkpoint from its source")
      ) { try CheckpointState(path: fixture.path) }
      try FileManager.default.removeItem(atPath: location.next.directory)
      #expect(try fileDigests(fixture.path) == before)
    }
  }
}
