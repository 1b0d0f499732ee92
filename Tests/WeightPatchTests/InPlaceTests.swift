import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

@Suite struct InPlaceTests {
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

    try applyInPlace([first], fixture.path)
    #expect(try fileDigests(fixture.path) == fileDigests(one))
    try applyInPlace([second], fixture.path)
    #expect(try fileDigests(fixture.path) == fileDigests(both))
    try revertInPlace([first], fixture.path)
    #expect(try fileDigests(fixture.path) == fileDigests(other))
    try revertInPlace([second], fixture.path)
    #expect(try fileDigests(fixture.path) == before)
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(!names.contains { $0.contains(".errata.") })
  }

  /// A crash before the commit, wherever: the next run, reading or writing, ends in the old state.
  @Test(arguments: [CheckpointFixture.Layout.sharded, .bareFile], 0..<4)
  func aChangeThatHasBegunIsTakenBackByTheNextRun(layout: CheckpointFixture.Layout, crash: Int) throws {
    let fixture = try CheckpointFixture(layout)
    let first = try fixture.patch("p0", [fixture.batch(seed: 1)])
    let second = try fixture.patch("p1", [fixture.batch(seed: 2)])
    try applyInPlace([first], fixture.path)
    let before = try fileDigests(fixture.path)
    do {
      let state = try CheckpointState(path: fixture.path, forWriting: true)
      let plan = try state.planApply([second], time: "2026-02-01T00:00:00Z")
      let tensors = try plan.changedTensors.map { try state.checkpoint.tensor(named: $0) }
      let old = tensors.map { Array($0.bytes) }
      let change = try plan.beginChange()
      if crash > 0 { _ = try plan.rewrite(tensors, in: change) { _ in } }
      switch crash {
      case 2:  // with the last bytes of a tensor not written
        let tail = old[1].count / 2 / 8 * 8
        #expect(Array(tensors[1].bytes[tail...]) != Array(old[1][tail...]))
        try FileRegionWriter(anchored(tensors[1].file.path)).write(
          Array(old[1][tail...]), at: tensors[1].info.fileRange.lowerBound + tail)
      case 3:  // with the last tensor not written, and its record cut off
        let path = InPlaceJournal.chunks(in: change.journal).path
        let records = try Data(contentsOf: URL(fileURLWithPath: path))
        try records.dropLast(3).write(to: URL(fileURLWithPath: path))
        let last = tensors.last!
        try FileRegionWriter(anchored(last.file.path)).write(old.last!, at: last.info.fileRange.lowerBound)
      default: break
      }
    }
    #expect(try CheckpointState(path: fixture.path).repair == .takenBack)
    #expect(try fileDigests(fixture.path) == before)
    #expect(try CheckpointState(path: fixture.path, forWriting: true).repair == nil)
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(!names.contains { $0.contains(".errata.") })
  }

  /// A crash after the commit, wherever: the next run, reading or writing, ends in the new state.
  @Test(arguments: [CheckpointFixture.Layout.sharded, .bareFile], 0..<3)
  func aCommittedChangeIsFinishedByTheNextRun(layout: CheckpointFixture.Layout, crash: Int) throws {
    let fixture = try CheckpointFixture(layout)
    let first = try fixture.patch("p0", [fixture.batch(seed: 1)])
    let second = try fixture.patch("p1", [fixture.batch(seed: 2)])
    let expected = fixture.output("expected")
    try apply([first], to: fixture.path, output: fixture.output("one"))
    try apply([second], to: fixture.output("one"), output: expected)
    try applyInPlace([first], fixture.path)
    let manager = FileManager.default
    let location = try LedgerLocation(checkpoint: fixture.path, isDirectory: layout != .bareFile)
    let saved = fixture.output("saved")
    try manager.copyItem(atPath: location.directory.path, toPath: saved)
    try applyInPlace([second], fixture.path)
    switch crash {
    case 0:  // before the two renames
      try manager.moveItem(atPath: location.directory.path, toPath: location.next.directory.path)
      try manager.moveItem(atPath: saved, toPath: location.directory.path)
    case 1:  // between them
      try manager.moveItem(atPath: location.directory.path, toPath: location.next.directory.path)
      try manager.moveItem(atPath: saved, toPath: location.previous.directory.path)
    default:  // with the old ledger and a journal that are not removed, and a change that never began
      try manager.moveItem(atPath: saved, toPath: location.previous.directory.path)
      try manager.createDirectory(atPath: location.journal.path, withIntermediateDirectories: true)
      try manager.createDirectory(atPath: location.next.directory.path + ".abc", withIntermediateDirectories: true)
    }
    if crash < 2 {
      #expect(try CheckpointState(path: fixture.path).repair == .completed)
    } else {
      #expect(try CheckpointState(path: fixture.path, forWriting: true).repair == nil)
    }
    #expect(try fileDigests(fixture.path) == fileDigests(expected))
  }

  @Test func whatFailsIsTakenBack() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)]) { $0.result?["model.c.weight"] = Digest(of: []) }
    let before = try fileDigests(fixture.path)
    #expect { try applyInPlace([patch], fixture.path) } throws: {
      ($0 as? ErrataError)?.kind == .verification
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

  /// What a newer version began is no damage.
  @Test func namesAJournalOfANewerVersion() throws {
    let directory = try TemporaryDirectory()
    let path = directory("journal.json")
    try AtomicFile.write(Array(#"{"version":4,"patches":[],"changes":[]}"#.utf8), to: path)
    #expect(
      throws: ErrataError(
        .damagedInput,
        "\(path): journal of version 4 of an unfinished change; this tool reads version 3; finish the change with the "
          + "errata that began it")
    ) { try InPlaceJournal(MappedFile(path: path)) }
  }

  /// A journal may name only tensors of the checkpoint; and what it leads to must be what was there before.
  @Test func aHostileJournalIsRefused() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let before = try fileDigests(fixture.path)
    let location = try LedgerLocation(checkpoint: fixture.path, isDirectory: true)
    let tensor = try Checkpoint(path: fixture.path).tensor(named: "model.a.weight")
    for (name, digest) in [
      ("model.z.weight", tensor.digest()), ("../victim", tensor.digest()), ("", tensor.digest()),
      ("model.a.weight", Digest(of: [])),
    ] {
      let change = location.change
      try FileManager.default.createDirectory(atPath: change.journal.path, withIntermediateDirectories: true)
      try AtomicFile.write([], to: InPlaceJournal.chunks(in: change.journal).path)
      let journal = InPlaceJournal(
        changes: [.init(tensor: ByteString(name), base: tensor.digest(), before: digest)], patches: [])
      let path = InPlaceJournal.manifest(in: change.journal).path
      try AtomicFile.write(journal.serialized(), to: path)
      let damaged = ErrataError(
        .damagedInput, "\(path): damaged journal of an unfinished change; restore the checkpoint from its source")
      #expect(throws: damaged) { try CheckpointState(path: fixture.path) }
      try FileManager.default.removeItem(atPath: change.directory.path)
      #expect(try fileDigests(fixture.path) == before)
    }
  }

  /// It would hold bytes that are not in place.
  @Test func aJournalOfTheFirstVersionIsRefused() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let next = try LedgerLocation(checkpoint: fixture.path, isDirectory: true).next
    try FileManager.default.createDirectory(atPath: next.journal.path, withIntermediateDirectories: true)
    let path = InPlaceJournal.manifest(in: next.journal).path
    try AtomicFile.write(Array(#"{"version": 1, "keeps_ledger": true, "writes": []}"#.utf8), to: path)
    let damaged = ErrataError(
      .damagedInput, "\(path): damaged journal of an unfinished change; restore the checkpoint from its source")
    #expect(throws: damaged) { try CheckpointState(path: fixture.path) }
  }
}
