import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Files with other names, and links: those who have them there see no change in place.
@Suite struct OwnFilesTests {
  enum Link: CaseIterable {
    case hard
    case symbolic

    /// Has the weight files of a checkpoint be other names for, or links to, files of `folder`.
    ///
    /// - Returns: the checkpoint's own paths of them, in order.
    func connect(_ fixture: CheckpointFixture, with folder: String) throws -> [String] {
      let manager = FileManager.default
      try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let paths = try Checkpoint(path: fixture.path).shards.map(\.path)
      for path in paths {
        let other = "\(folder)/\(fileName(of: path))"
        try manager.moveItem(atPath: path, toPath: other)
        switch self {
        case .hard: try manager.linkItem(atPath: other, toPath: path)
        case .symbolic: try manager.createSymbolicLink(atPath: path, withDestinationPath: other)
        }
      }
      return paths
    }
  }

  @Test(arguments: CheckpointFixture.Layout.allCases, Link.allCases)
  func theOtherNamesKeepTheFile(layout: CheckpointFixture.Layout, link: Link) throws {
    let fixture = try CheckpointFixture(layout)
    let first = try fixture.patch("p0", [fixture.batch(["model.a.weight", "model.b.weight"], seed: 1)])
    let second = try fixture.patch("p1", [fixture.batch(["model.b.weight"], seed: 2)])
    let (one, both) = (fixture.output("one"), fixture.output("both"))
    try apply([first], to: fixture.path, output: one)
    try apply([second], to: one, output: both)
    let before = try fileDigests(fixture.path)
    let folder = fixture.directory("others")
    let paths = try link.connect(fixture, with: folder)
    let others = try fileDigests(folder)
    let edited = layout == .sharded ? Array(paths[..<2]) : paths

    let report = try applyInPlace([first], fixture.path)
    #expect(report.copiedFiles == edited)
    #expect(report.json["copied_files"] == .array(edited.map { JSON($0) }))
    #expect(try fileDigests(fixture.path) == fileDigests(one))
    #expect(try fileDigests(folder) == others)
    // A shard that is not edited stays shared.
    for path in paths { #expect(try isShared(path) == !edited.contains(path)) }

    #expect(try applyInPlace([second], fixture.path).copiedFiles == [])
    #expect(try fileDigests(fixture.path) == fileDigests(both))
    #expect(try revertInPlace([first, second], fixture.path).copiedFiles == [])
    #expect(try fileDigests(fixture.path) == before)
    #expect(try fileDigests(folder) == others)
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(!names.contains { $0.contains(".errata.") })
  }

  private func isShared(_ path: String) throws -> Bool {
    var status = stat()
    try #require(lstat(path, &status) == 0)
    return status.st_mode & S_IFMT != S_IFREG || status.st_nlink > 1
  }

  @Test func permissionsStay() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let path = try Link.hard.connect(fixture, with: fixture.directory("others"))[0]
    chmod(path, 0o440)
    try applyInPlace([patch], fixture.path)
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o440)
  }

  /// Progress counts the bytes that are copied, and can stop before any is changed.
  @Test(arguments: [CheckpointFixture.Layout.sharded, .bareFile]) func canBeInterrupted(
    layout: CheckpointFixture.Layout
  ) throws {
    let fixture = try CheckpointFixture(layout)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let paths = try Link.hard.connect(fixture, with: fixture.directory("others"))
    let before = try fileDigests(fixture.path)
    let byteCount = try paths.reduce(0) { try $0 + fileSize($1) }
    let editedByteCount = CheckpointFixture.outputs * CheckpointFixture.inputs * (2 + 2 + 4)
    func change(_ progress: @escaping (Int, Int) throws -> Void) throws {
      try CheckpointState(path: fixture.path, forWriting: true)
        .planApply([patch], time: "2026-02-01T00:00:00Z").writeInPlace(progress: progress)
    }
    #expect(throws: CancellationError.self) { try change { _, _ in throw CancellationError() } }
    #expect(try fileDigests(fixture.path) == before)
    for path in paths { #expect(try isShared(path)) }
    let names = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(!names.contains { $0.contains("errata") })

    nonisolated(unsafe) var steps: [Int] = []
    try change { done, total in
      #expect(total == byteCount + editedByteCount)
      steps.append(done)
    }
    #expect(steps == steps.sorted() && steps.last == byteCount + editedByteCount)
    #expect(steps.contains(byteCount))
  }

  /// While a bare file is changed, and afterwards, the lock is that of the file which has the name.
  @Test func theCopyIsLocked() throws {
    let fixture = try CheckpointFixture(.bareFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let path = try Link.hard.connect(fixture, with: fixture.directory("others"))[0]
    let busy = ErrataError(.conflict, "\(path): is in use by another errata; try again when that is done")
    do {
      let state = try CheckpointState(path: path, forWriting: true)
      try state.planApply([patch], time: "2026-02-01T00:00:00Z").writeInPlace { _, _ in
        #expect(throws: busy) { try CheckpointState(path: path) }
      }
      #expect(throws: busy) { try CheckpointState(path: path) }
      withExtendedLifetime(state) {}
    }
    #expect(try CheckpointState(path: path).isEdited)
  }

  /// A change that has begun, in files that got other names since: the half-changed bytes under those stay.
  @Test(arguments: [CheckpointFixture.Layout.sharded, .bareFile], Link.allCases)
  func aChangeIsTakenBackInCopies(layout: CheckpointFixture.Layout, link: Link) throws {
    let fixture = try CheckpointFixture(layout)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let before = try fileDigests(fixture.path)
    do {
      let state = try CheckpointState(path: fixture.path, forWriting: true)
      let plan = try state.planApply([patch], time: "2026-02-01T00:00:00Z")
      let tensors = try plan.changedTensors.map { try state.checkpoint.tensor(named: $0) }
      _ = try plan.rewrite(tensors, in: plan.beginChange()) { _ in }
    }
    let folder = fixture.directory("others")
    let paths = try link.connect(fixture, with: folder)
    let others = try fileDigests(folder)
    do {
      let state = try CheckpointState(path: fixture.path)
      #expect(state.repair == .takenBack)
      #expect(try state.planApply([patch], time: "2026-02-01T00:00:00Z").baseDigests.count == 3)
    }
    #expect(try fileDigests(fixture.path) == before)
    #expect(try fileDigests(folder) == others)
    for path in paths { #expect(try !isShared(path)) }
  }
}
