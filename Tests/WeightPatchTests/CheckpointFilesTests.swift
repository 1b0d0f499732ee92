import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// What links in a checkpoint lead to is not published with its copies, unless it is the checkpoint's own.
@Suite struct CheckpointFilesTests {
  private let fixture: CheckpointFixture
  private let patch: PatchFile
  private let secret: String

  init() throws {
    fixture = try CheckpointFixture(.sharded)
    patch = try fixture.patch("p", [fixture.batch(["model.a.weight"], seed: 1)])
    secret = fixture.directory("secret")
    try AtomicFile.write(Array("PRIVATE".utf8), to: secret)
  }

  private func link(_ name: String, to target: String, in folder: String? = nil) throws {
    let path = "\(folder ?? fixture.path)/\(name)"
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test(arguments: ["README.md", "config.json", "extra/notes.md", "model.safetensors.index.json"], [true, false])
  func aLinkOutOfTheCheckpointIsRefused(name: String, isRelative: Bool) throws {
    let path = "\(fixture.path)/\(name)"
    if FileManager.default.fileExists(atPath: path) {
      try FileManager.default.moveItem(atPath: path, toPath: secret + name.suffix(4))
    }
    let target = FileManager.default.fileExists(atPath: secret + name.suffix(4)) ? secret + name.suffix(4) : secret
    let up = name.contains("/") ? "../../" : "../"
    try link(name, to: isRelative ? up + fileName(of: target) : target)
    let plan = try CheckpointState(path: fixture.path).planApply([patch], time: "2026-02-01T00:00:00Z")
    let real = URL(fileURLWithPath: target).resolvingSymlinksInPath().path
    let error = ErrataError(
      .damagedInput,
      "\(path): is a link to \(real), outside of the checkpoint; follow links to copy what is there, or remove "
        + "the link"
    )
    let before = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path).sorted()
    let output = fixture.output("x")
    for mode in [CopyMode.clone, .hardLink] {
      #expect(throws: error) { try plan.write(to: output, options: WriteOptions(copyMode: mode)) }
    }
    #expect(throws: error) { try plan.rehearse(to: output) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path).sorted() == before)

    try plan.rehearse(to: output, followsLinks: true)
    try plan.write(to: output, options: WriteOptions(followsLinks: true))
    #expect(try text("\(output)/\(name)") == text(target))
    // A file of its own, not a link.
    #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: "\(output)/\(name)")) == nil)
  }

  @Test func aChainOfLinksCountsByItsEnd() throws {
    try link("README.md", to: "LICENSE")
    try link("LICENSE", to: secret)
    #expect { try apply([patch], to: fixture.path, output: fixture.output("x")) } throws: {
      ($0 as? ErrataError)?.kind == .damagedInput
    }
  }

  @Test func linksWithinTheCheckpointAreFollowed() throws {
    try link("tokenizer.json", to: "extra/tokenizer.json")
    try link("extra/config.json", to: "\(fixture.path)/config.json")
    let output = fixture.output("x")
    try apply([patch], to: fixture.path, output: output)
    #expect(try text(output + "/tokenizer.json") == "tokens")
    #expect(try text(output + "/extra/config.json") == "{}")
  }

  /// The weight files that the index names may lie anywhere.
  @Test func weightFilesAreFollowed() throws {
    let expected = fixture.output("expected")
    try apply([patch], to: fixture.path, output: expected)
    for shard in try Checkpoint(path: fixture.path).shards {
      let place = fixture.directory(fileName(of: shard.path))
      try FileManager.default.moveItem(atPath: shard.path, toPath: place)
      try link(fileName(of: shard.path), to: place)
    }
    let output = fixture.output("x")
    try apply([patch], to: fixture.path, output: output)
    #expect(try fileDigests(output) == fileDigests(expected))
  }

  /// A Hugging Face cache: every file of a snapshot is a link to a blob.
  @Test(arguments: ["blobs", "elsewhere"]) func aCache(folder: String) throws {
    let cache = fixture.directory("models--a--b")
    let snapshot = cache + "/snapshots/0123"
    for made in [cache + "/" + folder, snapshot + "/extra"] {
      try FileManager.default.createDirectory(atPath: made, withIntermediateDirectories: true)
    }
    for (number, file) in try Checkpoint(path: fixture.path).files().enumerated() {
      try FileManager.default.copyItem(atPath: file.path, toPath: "\(cache)/\(folder)/\(number)")
      let up = file.name.contains("/") ? "../../../" : "../../"
      try link(file.name, to: "\(up)\(folder)/\(number)", in: snapshot)
    }
    let output = fixture.output("x")
    guard folder == "blobs" else {
      #expect { try apply([patch], to: snapshot, output: output) } throws: {
        ($0 as? ErrataError)?.message.hasPrefix("\(snapshot)/config.json: is a link to ") == true
      }
      return
    }
    try apply([patch], to: snapshot, output: output)
    let expected = fixture.output("expected")
    try apply([patch], to: fixture.path, output: expected)
    #expect(try fileDigests(output) == fileDigests(expected))
  }
}
