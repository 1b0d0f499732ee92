import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// What is damaged, changed, or in the way: a clear error, and nothing written.
@Suite struct CheckpointDamageTests {
  let fixture: CheckpointFixture
  let patch: PatchFile
  let edited: String
  let location: LedgerLocation

  init() throws {
    fixture = try CheckpointFixture(.singleFile)
    patch = try fixture.patch("p.wpatch", [fixture.batch(facts: 2, scale: 0.1, seed: 1)])
    edited = fixture.output("edited")
    try apply([patch], to: fixture.path, output: edited)
    location = try LedgerLocation(checkpoint: edited, isDirectory: true)
  }

  private func read(_ path: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: path))) }

  private func expectNothingNew() throws {
    let left = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(left.sorted() == ["base", "edited", "p.wpatch"])
  }

  @Test func aDamagedPatchIsRefusedBeforeAnything() throws {
    var bytes = try read(patch.path)
    bytes[bytes.count / 2] ^= 1
    try AtomicFile.write(bytes, to: patch.path)
    #expect {
      try PatchFile(path: patch.path)
    } throws: {
      ($0 as? ErrataError)?.kind == .damagedInput
    }
  }

  @Test func aCheckpointThatChangedIsRefused() throws {
    let path = edited + "/model.safetensors"
    var bytes = try read(path)
    let tensor = try Checkpoint(path: edited).tensor(named: "model.a.weight")
    let expected = tensor.digest()
    bytes[tensor.info.fileRange.lowerBound] ^= 1
    try AtomicFile.write(bytes, to: path)
    let found = try Checkpoint(path: edited).digest(of: "model.a.weight")
    #expect(
      throws: ErrataError(
        .baseMismatch,
        "\(edited): was changed after the last apply or revert: model.a.weight: expected \(expected.abbreviated), "
          + "found \(found.abbreviated); restore it, or remove \(location.directory.path) to take it as a new base")
    ) { try revert([patch], from: edited, output: fixture.output("x")) }
    try expectNothingNew()
  }

  /// All of them, in order of name: a dictionary's would differ from run to run.
  @Test func everyChangedTensorIsNamedInOrder() throws {
    let path = edited + "/model.safetensors"
    var bytes = try read(path)
    let checkpoint = try Checkpoint(path: edited)
    let names = patch.manifest.base.tensors.keys.sorted()
    #expect(names.count > 2)
    for name in names { bytes[try checkpoint.tensor(named: name).info.fileRange.lowerBound] ^= 1 }
    try AtomicFile.write(bytes, to: path)
    let error = try #require(throws: ErrataError.self) {
      try revert([patch], from: edited, output: fixture.output("x"))
    }
    let places = names.compactMap { error.message.range(of: "\($0): expected")?.lowerBound }
    #expect(places.count == names.count && places == places.sorted(), "\(error.message)")
  }

  /// Every byte of an undo record: either an error, or, where it says nothing that revert reads, the base.
  @Test func aDamagedUndoRecordNeverGivesWrongBytes() throws {
    let path = location.undoRecord(of: "model.a.weight").path
    let bytes = try read(path)
    let base = try fileDigests(fixture.path)
    for index in stride(from: 0, to: bytes.count, by: 5) {
      var damaged = bytes
      damaged[index] ^= 0x41
      try AtomicFile.write(damaged, to: path)
      let output = fixture.output("x")
      do {
        try revert([patch], from: edited, output: output)
        #expect(try fileDigests(output) == base)
        // The length of a chunk that is longer than the tensor, and the digest of the edited tensor.
        #expect((20..<24).contains(index) || index >= bytes.count - 32, "byte \(index)")
        try FileManager.default.removeItem(atPath: output)
      } catch let error as ErrataError {
        #expect(error.kind == .damagedInput && error.message.hasPrefix(path), "\(error)")
      }
    }
    for count in [0, 5, 40, 100, bytes.count - 1] {
      try AtomicFile.write(bytes.prefix(count), to: path)
      #expect { try revert([patch], from: edited, output: fixture.output("x")) } throws: {
        ($0 as? ErrataError)?.kind == .damagedInput
      }
    }
    try expectNothingNew()
  }

  @Test func theWordsOfDamagedUndoRecords() throws {
    let path = location.undoRecord(of: "model.b.weight").path
    let other = try read(location.undoRecord(of: "model.a.weight").path)
    let bytes = try read(path)
    func expect(_ damaged: [UInt8], _ message: String) throws {
      try AtomicFile.write(damaged, to: path)
      #expect(throws: ErrataError(.damagedInput, "\(path): \(message)")) {
        try revert([patch], from: edited, output: fixture.output("x"))
      }
    }
    func damaged(_ reason: String) -> String {
      "damaged undo record: \(reason); restore the base checkpoint from its source"
    }
    try expect(other, damaged("it is not the record of model.b.weight"))
    try expect([0] + bytes.dropFirst(), damaged("it does not begin as one"))
    try expect(bytes[..<12] + [2] + bytes[13...], "undo record of version 2; this tool reads version 1: update errata")
    try expect(bytes[..<16] + [9] + bytes[17...], damaged("its header is out of range"))
    try expect(bytes.dropLast(70) + bytes.suffix(64), damaged("it is cut off"))
    try expect(bytes + [0], damaged("it is longer than its streams"))
  }

  @Test func theWordsOfDamagedLedgers() throws {
    func expect(_ text: String, _ message: String) throws {
      try AtomicFile.write(Array(text.utf8), to: location.manifest.path)
      #expect(throws: ErrataError(.damagedInput, "\(location.manifest.path): \(message)")) {
        try CheckpointState(path: edited)
      }
    }
    func damaged(_ reason: String) -> String {
      "damaged ledger: \(reason); restore the checkpoint from its source"
    }
    let text = String(decoding: try read(location.manifest.path), as: UTF8.self)
    let identifier = patch.identifier.description
    try expect("{", damaged("not valid JSON at byte 1: a key is expected"))
    try expect("[]", damaged("it has no version"))
    try expect(#"{"version":2}"#, "ledger of version 2; this tool reads version 1: update errata")
    try expect(#"{"version":1,"patches":[]}"#, damaged("patches or tensors are missing"))
    try expect(text.replacingOccurrences(of: "p.wpatch", with: #"\u001b[2J"#), damaged("patches[0] is not an entry"))
    try expect(
      text.replacingOccurrences(of: "\"base\"", with: "\"bass\""), damaged("tensor \"model.a.weight\" has no digests"))
    try expect(
      text.replacingOccurrences(of: "model.c.weight", with: "model.d.weight"),
      damaged("its tensors are not those that its patches edit"))
    let entry = #"{"id":"\#(identifier)","name":"p","applied":"now"}"#
    try expect(
      #"{"version":1,"patches":[\#(entry),\#(entry)],"tensors":{}}"#,
      damaged("patch \(patch.identifier.abbreviated) is there twice"))
  }

  @Test func aForeignPatchInTheLedgerIsRefused() throws {
    let other = try fixture.patch("q.wpatch", [fixture.batch(seed: 9)])
    let path = location.patch(patch.identifier).path
    try AtomicFile.write(read(other.path), to: path)
    #expect(
      throws: ErrataError(
        .damagedInput,
        "\(path): is patch \(other.identifier.abbreviated), not the one that its name says; put the right file there")
    ) { try CheckpointState(path: edited) }
  }

  @Test func outputsInTheWayAreRefused() throws {
    let plan = try CheckpointState(path: edited).planRevert([patch.identifier])
    for taken in [fixture.path, fixture.path + "/", patch.path] {
      let name = taken.hasSuffix("/") ? String(taken.dropLast()) : taken
      #expect(throws: ErrataError(.general, "\(name): exists already; name an output that does not")) {
        try plan.write(to: taken)
      }
    }
    let inside = edited + "/inside"
    #expect(
      throws: ErrataError(
        .usage, "\(inside): lies in the checkpoint \(edited); name an output outside of it")
    ) { try plan.write(to: inside) }
    let empty = fixture.output("empty")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
    try plan.write(to: empty)
    #expect(try fileDigests(empty) == fileDigests(fixture.path))
  }

  @Test func stoppingLeavesNothing() throws {
    struct Stop: Error {}
    let plan = try CheckpointState(path: edited).planRevert([patch.identifier])
    for limit in [0, 4000, 13000] {
      var options = WriteOptions()
      options.progress = { done, _ in if done > limit { throw Stop() } }
      #expect(throws: Stop.self) { try plan.write(to: fixture.output("x"), options: options) }
    }
    try expectNothingNew()
  }

  @Test func linksAreMadeOnlyWhenAskedFor() throws {
    func inode(_ path: String) throws -> Int {
      try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as! Int
    }
    let output = fixture.output("linked")
    try CheckpointState(path: edited).planRevert([patch.identifier])
      .write(to: output, options: WriteOptions(copyMode: .hardLink))
    #expect(try inode(output + "/config.json") == inode(edited + "/config.json"))
    #expect(try inode(output + "/model.safetensors") != inode(edited + "/model.safetensors"))
    #expect(try fileDigests(output) == fileDigests(fixture.path))
    #expect(try inode(edited + "/config.json") != inode(fixture.path + "/config.json"))
  }

  @Test func symbolicLinksAreFollowed() throws {
    // As in the Hugging Face cache: the files of a snapshot are links to blobs.
    let cache = fixture.output("cache")
    let (store, snapshot) = (cache + "/blobs", cache + "/snapshots/main")
    try FileManager.default.createDirectory(atPath: snapshot, withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: fixture.path, toPath: store)
    for name in ["config.json", "model.safetensors"] {
      try FileManager.default.createSymbolicLink(
        atPath: "\(snapshot)/\(name)", withDestinationPath: "../../blobs/\(name)")
    }
    let before = try fileDigests(store)
    let output = fixture.output("x")
    try apply([patch], to: snapshot, output: output)
    #expect(try fileDigests(store) == before)
    #expect(try read(output + "/model.safetensors") == read(edited + "/model.safetensors"))
  }
}
