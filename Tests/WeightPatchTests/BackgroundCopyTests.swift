import Foundation
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Outputs whose files are copied by other threads, as those of large checkpoints are.
@Suite struct BackgroundCopyTests {
  private struct Stop: Error {}

  private static func plan(_ file: PatchFile, _ path: String) throws -> StatePlan {
    try CheckpointState(path: path).planApply([file], time: "2026-02-01T00:00:00Z")
  }

  private static func options(_ copyMode: CopyMode = .clone) -> WriteOptions {
    var options = WriteOptions(copyMode: copyMode)
    options.backgroundByteCount = 0
    return options
  }

  @Test(arguments: CheckpointFixture.Layout.allCases)
  func givesTheSameFiles(layout: CheckpointFixture.Layout) throws {
    let fixture = try CheckpointFixture(layout)
    let before = try fileDigests(fixture.path)
    // Two weights of one file, with others before, between and after them.
    let patch = try fixture.patch("p", [fixture.batch(["model.a.weight", "model.c.weight"], seed: 1)])
    let (plain, other, linked) = (fixture.output("plain"), fixture.output("other"), fixture.output("linked"))
    try Self.plan(patch, fixture.path).write(to: plain)
    var last = (done: 0, total: 0)
    var options = Self.options()
    options.progress = { last = ($0, $1) }
    try Self.plan(patch, fixture.path).write(to: other, options: options)
    #expect(try fileDigests(other) == fileDigests(plain))
    #expect(last.done == last.total && last.total > 0)
    if layout != .bareFile {
      try Self.plan(patch, fixture.path).write(to: linked, options: Self.options(.hardLink))
      #expect(try fileDigests(linked) == fileDigests(plain))
    }
    #expect(try fileDigests(fixture.path) == before)
  }

  @Test func leavesNothingWhenItIsStopped() throws {
    let fixture = try CheckpointFixture(.sharded)
    let patch = try fixture.patch("p", [fixture.batch(["model.a.weight"], seed: 1)])
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path).sorted()
    var options = Self.options()
    options.progress = { _, _ in throw Stop() }
    #expect(throws: Stop.self) { try Self.plan(patch, fixture.path).write(to: fixture.output("o"), options: options) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path).sorted() == names)
  }

  @Test func saysWhatCannotBeCopied() throws {
    let fixture = try CheckpointFixture(.sharded)
    let (config, destination) = (fixture.path + "/config.json", fixture.directory("no/folder"))
    let job = BackgroundCopy.Job(open: { try FileCopy(from: config, to: anchored(destination), mode: .clone) })
    let copy = BackgroundCopy([job])
    #expect(throws: ErrataError.self) { try copy.finish { _ in } }
    copy.cancel()
  }

  /// What somebody else writes is left out, wherever it lies.
  @Test(arguments: [[0..<3], [0..<3, 3..<5], [4..<5], [2..<4, 7..<10], [0..<10], []])
  func copiesAroundTheExceptions(exceptions: [Range<Int>]) throws {
    let fixture = try CheckpointFixture(.singleFile)
    let (source, destination) = (fixture.directory("source"), fixture.directory("destination"))
    try Data((0..<10).map { UInt8($0 + 1) }).write(to: URL(fileURLWithPath: source))
    let copy = try FileCopy(from: source, to: anchored(destination), mode: .clone)
    for piece in copy.pieces(except: exceptions) { try copy.copy(piece) }
    try copy.finish()
    let found = [UInt8](try Data(contentsOf: URL(fileURLWithPath: destination)))
    for index in found.indices where copy.isComplete || !exceptions.contains(where: { $0.contains(index) }) {
      #expect(found[index] == UInt8(index + 1))
    }
    #expect(
      found.count == (copy.isComplete ? 10 : exceptions.last?.upperBound == 10 ? exceptions.last!.lowerBound : 10))
  }
}
