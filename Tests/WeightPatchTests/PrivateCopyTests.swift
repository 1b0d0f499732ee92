import Foundation
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// What was checked of a patch is what is used of it, whatever becomes of its file.
@Suite struct PrivateCopyTests {
  enum Writer: CaseIterable {
    case rewrites
    case truncates
    case renames
    case removes

    func spoil(_ path: String, with bytes: [UInt8]) throws {
      switch self {
      case .rewrites:
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.write(contentsOf: bytes)
        try handle.close()
      case .truncates: truncate(path, 0)
      case .renames: try AtomicFile.write(bytes, to: path)
      case .removes: unlink(path)
      }
    }
  }

  @Test(arguments: Writer.allCases)
  func thePatchStays(writer: Writer) throws {
    let fixture = try CheckpointFixture(.singleFile)
    let expected = fixture.output("expected")
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: patch.path)))
    try apply([patch], to: fixture.path, output: expected)
    let evil = try fixture.patch("q", [fixture.batch(seed: 2)])
    let file = try PatchFile(path: patch.path, near: fixture.path)
    try writer.spoil(patch.path, with: Array(Data(contentsOf: URL(fileURLWithPath: evil.path))))
    #expect(file.patch.batches.map { $0.digest() } == file.manifest.batches.map(\.digest))
    let output = fixture.output("x")
    try apply([file], to: fixture.path, output: output)
    #expect(try fileDigests(output) == fileDigests(expected))
    // The ledger's copy is what was applied.
    let location = try LedgerLocation(checkpoint: output, isDirectory: true)
    #expect(try Array(Data(contentsOf: URL(fileURLWithPath: location.patch(file.identifier).path))) == bytes)
    #expect(try CheckpointState(path: output).verify().findings.isEmpty)
  }

  /// Also that of a ledger.
  @Test(arguments: Writer.allCases)
  func theLedgersPatchStays(writer: Writer) throws {
    let fixture = try CheckpointFixture(.singleFile)
    let first = try fixture.patch("p", [fixture.batch(seed: 1)])
    let second = try fixture.patch("q", [fixture.batch(seed: 2)])
    let (one, both, expected) = (fixture.output("one"), fixture.output("both"), fixture.output("expected"))
    try apply([second], to: fixture.path, output: expected)
    try apply([first], to: fixture.path, output: one)
    try apply([second], to: one, output: both)
    let plan = try CheckpointState(path: both).planRevert([first.identifier])
    let place = try LedgerLocation(checkpoint: both, isDirectory: true).patch(second.identifier).path
    try writer.spoil(place, with: Array(Data(contentsOf: URL(fileURLWithPath: first.path))))
    let output = fixture.output("x")
    try plan.write(to: output)
    #expect(try fileDigests(output) == fileDigests(expected))
  }

  /// A patch may come from a pipe; it is read to its end.
  @Test func aPipe() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let bytes = try Data(contentsOf: URL(fileURLWithPath: patch.path))
    let path = fixture.directory("pipe")
    try #require(mkfifo(path, 0o600) == 0)
    let writing = Thread {
      let handle = FileHandle(forWritingAtPath: path)
      // In parts, as a pipe has little room.
      try? handle?.write(contentsOf: bytes.prefix(100))
      usleep(20_000)
      try? handle?.write(contentsOf: bytes.dropFirst(100))
      try? handle?.close()
    }
    writing.start()
    #expect(try PatchFile(path: path).identifier == patch.identifier)
  }

  @Test func whatIsNoPatchIsNotCopied() throws {
    let directory = try CheckpointFixture(.singleFile).directory
    let path = directory("large")
    try AtomicFile.write([1], to: path)
    truncate(path, 1 << 40)
    #expect { try PatchFile(path: path) } throws: { ($0 as? ErrataError)?.kind == .damagedInput }
    #expect(throws: ErrataError(.general, "/dev/zero: is neither a regular file nor a pipe; name a .wpatch file")) {
      try PatchFile(path: "/dev/zero")
    }
  }

  /// At the limit, and a byte above it.
  @Test(arguments: [100_000, 99_999])
  func theLimit(limit: Int) throws {
    let fixture = try CheckpointFixture(.singleFile)
    let path = fixture.directory("file")
    try AtomicFile.write([UInt8](repeating: 7, count: 100_000), to: path)
    func copy() throws -> MappedFile {
      try PrivateCopy.map(path: path, near: fixture.path, limit: limit) { _ in }
    }
    guard limit < 100_000 else {
      let copy = try copy()
      #expect(withExtendedLifetime(copy) { copy.bytes.count == 100_000 && copy.bytes.allSatisfy { $0 == 7 } })
      return
    }
    let error = ErrataError(
      .damagedInput, "\(path): the size of the file is 100000, more than the 99999 that are allowed")
    #expect(throws: error) { try copy() }
  }

  /// Where nothing can be written, it is made elsewhere; and it has no name.
  @Test(arguments: ["/proc", "/nowhere"]) func elsewhere(folder: String) throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(seed: 1)])
    let before = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
    #expect(try PatchFile(path: patch.path, near: folder).identifier == patch.identifier)
    let near = try PatchFile(path: patch.path, near: fixture.directory.path)
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path) == before)
    withExtendedLifetime(near) {}
  }

  /// Weights that another program rewrites after they were looked at are not taken for the base.
  @Test func aBaseThatChangesMeanwhile() throws {
    let fixture = try CheckpointFixture(.singleFile)
    let patch = try fixture.patch("p", [fixture.batch(["model.a.weight"], seed: 1)]) { $0.result = nil }
    let state = try CheckpointState(path: fixture.path)
    let plan = try state.planApply([patch], time: "2026-02-01T00:00:00Z")
    let path = fixture.path + "/model.safetensors"
    let tensor = try state.checkpoint.tensor(named: "model.a.weight")
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.seek(toOffset: UInt64(tensor.info.fileRange.lowerBound))
    try handle.write(contentsOf: [0x01, 0x3c])
    try handle.close()
    let error = ErrataError(
      .general,
      "\(path): model.a.weight changed while it was read; another program is writing the file: try again later")
    #expect(throws: error) { try plan.rehearse() }
    #expect(throws: error) { try plan.write(to: fixture.output("x")) }
    #expect(!FileManager.default.fileExists(atPath: fixture.output("x")))
  }
}
