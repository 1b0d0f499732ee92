import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

@Suite struct PatchFileTests {
  private func expectEqual(_ left: EditBatch, _ right: EditBatch, _ location: SourceLocation = #_sourceLocation) {
    #expect(left.tensors.count == right.tensors.count, sourceLocation: location)
    for (left, right) in zip(left.tensors, right.tensors) {
      #expect(left.name == right.name && left.isTransposed == right.isTransposed, sourceLocation: location)
      #expect(left.left == right.left && left.right == right.right && left.keys == right.keys, sourceLocation: location)
      #expect(left.gram?.elements == right.gram?.elements, sourceLocation: location)
    }
    #expect(left.digest() == right.digest(), sourceLocation: location)
  }

  @Test(arguments: 1...20) func readsWhatItWrites(_ seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    let fixture = PatchFixture(
      factCounts: (0..<Int.random(in: 1...3, using: &generator)).map { _ in .random(in: 1...9, using: &generator) },
      weights: Array(["a", "b/c.d", "left/left", "\u{E9}"].shuffled(using: &generator).prefix(.random(in: 1...4))),
      outputSize: .random(in: 1...20, using: &generator), inputSize: .random(in: 1...20, using: &generator),
      dtype: [.f32, .f16, .i8].randomElement(using: &generator)!, keys: .random(using: &generator),
      isTransposed: .random(using: &generator), seed: UInt64(seed))
    let directory = try TemporaryDirectory()
    let signatures: [[UInt8]] = seed % 2 == 0 ? [] : [[1, 2, 3], []]
    let written = try PatchWriter.write(
      fixture.manifest, batches: fixture.batches, signatures: signatures, to: directory("x.wpatch"))
    let reader = try PatchReader(path: directory("x.wpatch"))
    let read = try reader.read()
    #expect(read.identifier == written.identifier)
    #expect(read.manifest == written.manifest)
    #expect(reader.signatures == signatures)
    #expect(read.batches.count == fixture.batches.count)
    for (left, right) in zip(read.batches, fixture.batches) { expectEqual(left, right) }
    for (batch, described) in zip(read.batches, read.manifest.batches) { #expect(batch.digest() == described.digest) }
  }

  @Test func cutsLargeTensorsIntoFrames() throws {
    let fixture = PatchFixture(factCounts: [3], outputSize: 5, inputSize: 500_000, dtype: .f32)
    let read = try readPatch(fixture.bytes())
    expectEqual(read.batches[0], fixture.batches[0])
  }

  @Test(.enabled(if: zstdPath != nil, "there is no zstd command"))
  func isOneSafetensorsFileToOtherReaders() throws {
    let directory = try TemporaryDirectory()
    let fixture = PatchFixture(factCounts: [2, 1])
    let patch = try PatchWriter.write(fixture.manifest, batches: fixture.batches, to: directory("x.wpatch"))
    let zstd = Process()
    zstd.executableURL = URL(fileURLWithPath: Self.zstdPath!)
    zstd.arguments = ["-q", "-d", directory("x.wpatch"), "-o", directory("x.safetensors")]
    try zstd.run()
    zstd.waitUntilExit()
    #expect(zstd.terminationStatus == 0)
    let file = try SafetensorsFile(path: directory("x.safetensors"))
    #expect(file.header.tensors.count == 10)
    #expect(file.header.metadata["wpatch"] == ByteString(patch.manifest.serialized()))
    #expect(Digest(of: Array(try Data(contentsOf: URL(fileURLWithPath: file.path)))) == patch.identifier)
  }

  /// The zstd command, if there is one on PATH.
  private static let zstdPath = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .map { "\($0)/zstd" }.first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test func identifiesContentNotCompression() throws {
    let fixture = PatchFixture()
    let directory = try TemporaryDirectory()
    let plain = try PatchWriter.write(fixture.manifest, batches: fixture.batches, to: directory("a"))
    let signed = try PatchWriter.write(
      fixture.manifest, batches: fixture.batches, signatures: [[7]], to: directory("b"))
    #expect(plain.identifier == signed.identifier)
    var other = fixture
    other.manifest.note = "another"
    let noted = try PatchWriter.write(other.manifest, batches: other.batches, to: directory("c"))
    #expect(noted.identifier != plain.identifier)
    #expect(noted.manifest.batches.map(\.digest) == plain.manifest.batches.map(\.digest))
  }

  @Test(arguments: [1, 3, 19, 22]) func recompressionKeepsContentAndSignatures(level: Int) throws {
    let fixture = PatchFixture(factCounts: [3, 2], outputSize: 50, inputSize: 700, dtype: .f32)
    let directory = try TemporaryDirectory()
    let written = try PatchWriter.write(
      fixture.manifest, batches: fixture.batches, signatures: [[7], [1, 2]], to: directory("a"))
    let again = try PatchWriter.recompress(
      PatchReader(path: directory("a")), compressionLevel: level, to: directory("b"))
    #expect(again.identifier == written.identifier)
    let reader = try PatchReader(path: directory("b"))
    #expect(try reader.read().identifier == written.identifier && reader.signatures == [[7], [1, 2]])
    let direct = try PatchWriter.write(
      fixture.manifest, batches: fixture.batches, signatures: [[7], [1, 2]], compressionLevel: level,
      to: directory("c"))
    #expect(direct.identifier == written.identifier)
    #expect(FileManager.default.contentsEqual(atPath: directory("b"), andPath: directory("c")))
  }

  @Test func aDamagedPatchIsNotRecompressed() throws {
    let directory = try TemporaryDirectory()
    var bytes = try PatchFixture().bytes()
    // The last data frame ends with its checksum.
    bytes[bytes.count - PatchContainer.sealByteCount - 1] ^= 1
    try Data(resealed(bytes)).write(to: URL(fileURLWithPath: directory("a")))
    let reader = try PatchReader(path: directory("a"))
    #expect(throws: ErrataError.self) {
      try PatchWriter.recompress(reader, compressionLevel: 3, to: directory("b"))
    }
    #expect(!FileManager.default.fileExists(atPath: directory("b")))
  }

  // MARK: Damage

  @Test func refusesEveryTruncation() throws {
    let bytes = try PatchFixture().bytes()
    for count in 0..<bytes.count {
      let error = #expect(throws: ErrataError.self) { try readPatch(Array(bytes.prefix(count))) }
      #expect(error?.kind == .damagedInput)
    }
  }

  @Test func refusesEveryChangedByte() throws {
    let bytes = try PatchFixture().bytes()
    var accepted: [(position: Int, value: UInt8)] = []
    for position in bytes.indices {
      var changed = bytes
      for _ in 1...255 {
        changed[position] &+= 1
        do {
          _ = try readPatch(changed)
          accepted.append((position, changed[position]))
        } catch let error as ErrataError where error.kind == .damagedInput {}
      }
    }
    #expect(accepted.isEmpty)
  }

  @Test func refusesTrailingBytes() throws {
    let bytes = try PatchFixture().bytes()
    for byte in UInt8.min...UInt8.max {
      #expect(throws: ErrataError.self) { try readPatch(bytes + [byte]) }
    }
    #expect(throws: ErrataError.self) { try readPatch(bytes + bytes) }
  }

  /// A forger can make the seal fit: then the checks behind it must hold. zstd lets a few bits of a frame vary without
  /// a change of the content, and those may pass, but only with the same content.
  @Test func survivesEveryChangedByteUnderAFreshSeal() throws {
    let bytes = try PatchFixture().bytes()
    let identifier = try readPatch(bytes).identifier
    for position in bytes.indices.dropLast(PatchContainer.sealByteCount) {
      for bit in 0..<8 {
        var changed = bytes
        changed[position] ^= 1 << bit
        do {
          #expect(try readPatch(resealed(changed)).identifier == identifier)
        } catch let error as ErrataError {
          #expect(error.kind == .damagedInput)
        }
      }
    }
  }
}
