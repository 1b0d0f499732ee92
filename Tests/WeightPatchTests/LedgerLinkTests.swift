import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Links, pipes and foreign files where a ledger's own files should be: refused, and nothing outside of the checkpoint,
/// and nothing that is not Errata's, is removed or changed.
@Suite struct LedgerLinkTests {
  /// A checkpoint that carries a patch, and a folder elsewhere that looks like a ledger with a change that has begun.
  private struct Scene {
    let fixture: CheckpointFixture
    let first: PatchFile
    let second: PatchFile
    let location: LedgerLocation
    var victim: String { fixture.directory("victim") }

    init(_ layout: CheckpointFixture.Layout) throws {
      fixture = try CheckpointFixture(layout)
      first = try fixture.patch("p0", [fixture.batch(["model.a.weight", "model.b.weight"], seed: 1)])
      second = try fixture.patch("p1", [fixture.batch(["model.b.weight", "model.c.weight"], seed: 2)])
      location = try LedgerLocation(checkpoint: fixture.path, isDirectory: layout != .bareFile)
      try applyInPlace([first], fixture.path)
      for folder in ["journal/deep", "patches", "undo"] {
        try FileManager.default.createDirectory(atPath: "\(victim)/\(folder)", withIntermediateDirectories: true)
      }
      for file in ["journal/journal.json", "journal/chunks", "journal/deep/file", "patches/file", "ledger.json"] {
        try AtomicFile.write(Array("{}".utf8), to: "\(victim)/\(file)")
      }
    }

    /// Begins a change, and leaves it as a crash would.
    func interruptChange() throws {
      let state = try CheckpointState(path: fixture.path, forWriting: true)
      let plan = try state.planApply([second], time: "2026-02-01T00:00:00Z")
      let tensors = try plan.changedTensors.map { try state.checkpoint.tensor(named: $0) }
      _ = try plan.rewrite(tensors, in: plan.beginChange()) { _ in }
    }

    /// Puts a link to the victim, or to what has that name in it, in the place of something.
    func replaceByLink(_ path: String, to target: String? = nil) throws {
      try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target ?? victim)
    }

    /// Expects that reading and writing are refused for what is at a path, and that the victim stays.
    func expectRefusal(_ path: String, _ reason: String, whenReading: Bool = true) throws {
      let expected = ErrataError(.damagedInput, "\(path): \(reason)")
      let before = try fileDigests(victim)
      let names = FileManager.default.enumerator(atPath: victim)?.allObjects.count
      if whenReading { #expect(throws: expected) { try CheckpointState(path: fixture.path) } }
      #expect(throws: expected) { try applyInPlace([second], fixture.path) }
      #expect(throws: expected) { try revertInPlace([first], fixture.path) }
      #expect(try fileDigests(victim) == before)
      #expect(FileManager.default.enumerator(atPath: victim)?.allObjects.count == names)
    }
  }

  private static let link = "is a symbolic link, which Errata never puts there; remove it"
  private static let foreign = "is not what Errata puts there; move it away"

  @Test(arguments: CheckpointFixture.Layout.allCases, ["", ".change", ".next", ".old"])
  func aLedgerThatIsALink(layout: CheckpointFixture.Layout, suffix: String) throws {
    let scene = try Scene(layout)
    let path = scene.location.directory.path + suffix
    try scene.replaceByLink(path)
    try scene.expectRefusal(path, Self.link)
    // Also one that leads nowhere.
    try scene.replaceByLink(path, to: "/nowhere")
    try scene.expectRefusal(path, Self.link)
  }

  @Test(arguments: ["ledger.json", "patches", "patches/P.wpatch"])
  func whatIsInALedger(name: String) throws {
    let scene = try Scene(.singleFile)
    let path = "\(scene.location.directory.path)/\(name.replacing("P", with: scene.first.identifier.description))"
    let copy = scene.fixture.directory("copy")
    // Even if what it leads to is right.
    try FileManager.default.moveItem(atPath: path, toPath: copy)
    try scene.replaceByLink(path, to: copy)
    try scene.expectRefusal(path, Self.link)
  }

  @Test(arguments: ["undo", "undo/U.undo"])
  func undoRecords(name: String) throws {
    let scene = try Scene(.sharded)
    let record = scene.location.undoRecord(of: "model.a.weight")
    let path = name == "undo" ? scene.location.undoRecords.path : record.path
    try scene.replaceByLink(path, to: scene.victim + "/undo")
    #expect(throws: ErrataError(.damagedInput, "\(path): \(Self.link)")) {
      try revert([scene.first], from: scene.fixture.path, output: scene.fixture.output("x"))
    }
    #expect(throws: ErrataError(.damagedInput, "\(path): \(Self.link)")) {
      try revertInPlace([scene.first], scene.fixture.path)
    }
    #expect(throws: ErrataError(.damagedInput, "\(path): \(Self.link)")) {
      try CheckpointState(path: scene.fixture.path).verify()
    }
  }

  @Test(arguments: ["journal", "journal/journal.json", "journal/chunks", "patches"])
  func aChangeThatHasBegun(name: String) throws {
    let scene = try Scene(.singleFile)
    try scene.interruptChange()
    let path = "\(scene.location.change.directory.path)/\(name)"
    let isInVictim = FileManager.default.fileExists(atPath: "\(scene.victim)/\(name)")
    try scene.replaceByLink(path, to: isInVictim ? "\(scene.victim)/\(name)" : nil)
    try scene.expectRefusal(path, Self.link)
  }

  @Test(arguments: [".old/journal", ".old/undo", ".next.abc", ".next.abc/patches", ".next.abc/ledger.json", "/journal"])
  func debris(name: String) throws {
    let scene = try Scene(.bareFile)
    let path = scene.location.directory.path + name
    try FileManager.default.createDirectory(
      atPath: parentDirectory(of: path), withIntermediateDirectories: true)
    try scene.replaceByLink(path)
    try scene.expectRefusal(path, Self.link, whenReading: false)
  }

  /// A pipe is not waited for.
  @Test(arguments: ["/ledger.json", "/patches/P.wpatch", ".change", ".next", ".old"])
  func pipes(name: String) throws {
    let scene = try Scene(.singleFile)
    let identifier = scene.first.identifier.description
    let path = scene.location.directory.path + name.replacing("P", with: identifier)
    try? FileManager.default.removeItem(atPath: path)
    try #require(mkfifo(path, 0o600) == 0)
    try scene.expectRefusal(path, Self.foreign)
  }

  /// A name alone does not make a file Errata's; and where there is one that is not, nothing else is removed either.
  @Test(arguments: [
    ".old/notes.txt", ".old/undo/notes.txt", ".next.abc/patches/fix.wpatch", ".next.abc/journal/deep/file",
    "/journal/notes.txt", ".next.abc/1.txt",
  ])
  func whatIsNotOursStays(name: String) throws {
    let scene = try Scene(.singleFile)
    let directory = scene.location.directory.path
    let path = directory + name
    let others = ["\(directory).old/ledger.json", "\(directory).next.abc/0", "\(directory)/journal/chunks"]
    for file in others + [path] {
      try FileManager.default.createDirectory(
        atPath: parentDirectory(of: file), withIntermediateDirectories: true)
      try AtomicFile.write([1], to: file)
    }
    let named = name.hasSuffix("deep/file") ? parentDirectory(of: path) : path
    try scene.expectRefusal(named, Self.foreign, whenReading: false)
    for file in others + [path] { #expect(FileManager.default.fileExists(atPath: file), "\(file)") }
    // Without it, the rest goes.
    try FileManager.default.removeItem(atPath: named)
    try applyInPlace([scene.second], scene.fixture.path)
    for file in others { #expect(!FileManager.default.fileExists(atPath: file), "\(file)") }
  }

  /// What has the name of an output in the making, and is another's, stays; a link to it is no way to it.
  @Test func outputsInTheMaking() throws {
    let scene = try Scene(.singleFile)
    let folder = scene.fixture.directory("")
    let places = (0..<3).map { "\(folder).x.errata-partial.abcde\($0)" }
    try FileManager.default.createDirectory(atPath: places[0] + "/deep", withIntermediateDirectories: true)
    try AtomicFile.write([1], to: places[0] + "/deep/file")
    try AtomicFile.write([], to: scene.victim + "/errata-partial")
    try scene.replaceByLink(places[1])
    // One that is Errata's, with a link in it.
    try FileManager.default.createDirectory(atPath: places[2] + "/checkpoint", withIntermediateDirectories: true)
    try AtomicFile.write([], to: places[2] + "/errata-partial")
    try scene.replaceByLink(places[2] + "/checkpoint/link")
    let before = try fileDigests(scene.victim)
    try apply([scene.second], to: scene.fixture.path, output: scene.fixture.output("x"))
    #expect(FileManager.default.fileExists(atPath: places[0] + "/deep/file"))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: places[1]) == scene.victim)
    #expect(!FileManager.default.fileExists(atPath: places[2]))
    #expect(try fileDigests(scene.victim) == before)
  }

  /// Bytes are written to the file that was looked at, not to one that took its name.
  @Test func aWeightFileThatIsReplaced() throws {
    let scene = try Scene(.bareFile)
    let path = scene.fixture.path
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let file = try MappedFile(path: path)
    let other = scene.fixture.directory("other")
    try bytes.write(to: URL(fileURLWithPath: other))
    try scene.replaceByLink(path, to: other)
    #expect(throws: ErrataError(.damagedInput, "\(path): \(Self.link)")) {
      try FileRegionWriter(anchored(path), identity: file.identity)
    }
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.moveItem(atPath: other, toPath: path)
    let error = ErrataError(
      .general, "\(path): another file took its place meanwhile; another program is writing there: try again later")
    #expect(throws: error) { try FileRegionWriter(anchored(path), identity: file.identity) }
    #expect(throws: error) {
      try FileCopy(from: path, identity: file.identity, to: anchored(scene.fixture.output("x")), mode: .clone)
    }
  }
}
