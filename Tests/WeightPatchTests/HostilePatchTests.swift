import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Files that a forger could seal: what is behind the seal must hold on its own.
@Suite struct HostilePatchTests {
  private typealias Content = [ByteString: BatchTensor]

  /// A valid patch taken apart, changed and put together again under a fresh seal.
  private func forge(
    _ fixture: PatchFixture = PatchFixture(weights: ["w"]), fixesDigests: Bool = true,
    tensors changeTensors: (inout Content) -> Void = { _ in }, manifest change: (String) -> String = { $0 }
  ) throws -> [UInt8] {
    var fixture = fixture
    var content: Content = [:]
    for (index, batch) in fixture.batches.enumerated() {
      for tensor in batch.storedTensors() { content[PatchTensorName.name(tensor.name, inBatch: index)] = tensor }
    }
    changeTensors(&content)
    for index in fixture.batches.indices {
      let tensors = content.filter { $0.key.bytes.starts(with: "\(index)/".utf8) }.map(\.value)
      fixture.manifest.batches[index].digest = fixesDigests ? digestOfBatch(tensors) : Digest(of: [])
    }
    let text = change(String(decoding: fixture.manifest.serialized(), as: UTF8.self))
    let header = try SafetensorsHeader(
      declaring: content.map { TensorDeclaration(name: $0, dtype: $1.dtype, shape: $1.shape) },
      metadata: ["wpatch": ByteString(text)], source: "forger")
    return try forgedPatch(header: header.bytes, content: header.tensors.map { content[$0.name]!.bytes })
  }

  private func expectError(
    _ bytes: [UInt8], _ message: String, limits: PatchLimits = PatchLimits(),
    _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: ErrataError(.damagedInput, "x.wpatch: \(message)"), sourceLocation: location) {
      try readPatch(bytes, limits: limits)
    }
  }

  private func replacing(_ old: String, _ new: String) -> (String) -> String {
    { text in
      #expect(text.contains(old), "the manifest has no \(old)")
      return text.replacingOccurrences(of: old, with: new)
    }
  }

  private func tensor(_ dtype: DType, _ shape: Shape, _ bytes: [UInt8], _ name: ByteString = "w/left") -> BatchTensor {
    BatchTensor(name: name, dtype: dtype, shape: shape, bytes: bytes)
  }

  @Test func forgesValidPatchesToo() throws {
    #expect(try readPatch(forge()).batches.count == 1)
    let ignoresUnknown = replacing(#""format":1"#, #""format":1,"of the future":[{}]"#)
    #expect(try readPatch(forge(manifest: ignoresUnknown)).manifest.tool.name == "tests")
  }

  @Test func namesTheFrameThatIsWrong() throws {
    let bytes = try PatchFixture().bytes()
    expectError(Array("PK\u{3}\u{4}".utf8), "is not a .wpatch file, or its first bytes are damaged")
    expectError(
      Array(bytes.dropLast()), "truncated or damaged: there is no seal at its end; fetch it again")
    var changed = bytes
    changed[100] ^= 1
    expectError(changed, "damaged: its bytes do not match its seal; fetch it again")
    var newer = bytes
    newer[22] = UInt8(ascii: "3")
    expectError(newer, "is in format 3, this version reads formats 1 and 2; get a newer Errata")
    newer[22] = UInt8(ascii: "2")
    expectError(resealed(newer), "its manifest is in format 1, its first bytes say another one")
    let start = PatchContainer.magicFrame.count
    expectError(resealed(bytes[..<start] + [0] + bytes[start...]), "damaged at byte 24: a zstd frame is expected")
    let stray = ZstdFrame.skippable(magicNumber: 0x184D_2A50, payload: [])
    let end = bytes.count - PatchContainer.sealByteCount
    expectError(
      resealed(bytes[..<end] + stray + bytes[end...]),
      "damaged at byte \(end): only signatures and the seal may follow the tensors")
    var withoutChecksum = bytes
    withoutChecksum[start + 4] ^= 4
    expectError(resealed(withoutChecksum), "damaged at byte 24: the zstd frame has no checksum")
  }

  @Test func stopsBombsEarly() throws {
    let header = try SafetensorsHeader(
      declaring: [TensorDeclaration(name: "0/w/left", dtype: .f32, shape: [1 << 20, 1 << 20])],
      metadata: ["wpatch": "{}"], source: "forger")
    let bomb = try forgedPatch(header: header.bytes, content: [[UInt8](repeating: 0, count: 1 << 20)])
    #expect(bomb.count < 1000)
    let limit = 64 * 1_048_576 + 64 * (bomb.count - PatchContainer.sealByteCount)
    expectError(bomb, "the decompressed size is \(header.fileByteCount), more than the \(limit) that are allowed")
    #expect(PatchLimits().contentByteCount(ofFile: 1 << 62) == 8 << 30)
    expectError(
      bomb, "the size of the header is \(header.bytes.count), more than the 50 that are allowed",
      limits: PatchLimits(headerByteCount: 50))
    let short = try PatchFixture().bytes()
    let longer = try forgedPatch(
      header: headerBytes(of: short), content: [[UInt8](repeating: 0, count: 1 << 26)])
    let error = #expect(throws: ErrataError.self) { try readPatch(longer) }
    #expect(error?.message.hasSuffix("the frame states 67108864 bytes where 24 belong") == true)
  }

  /// The header's bytes of a valid patch.
  private func headerBytes(of bytes: [UInt8]) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try PatchReader(bytes: $0, source: "x").header.bytes }
  }

  @Test func namesTheFieldThatIsWrong() throws {
    let header = try SafetensorsHeader(declaring: [], source: "forger")
    expectError(
      try forgedPatch(header: header.bytes, content: []), "there is no manifest: __metadata__ has no \"wpatch\"")
    expectError(
      try forge(manifest: { _ in "{" }), "the manifest is not valid JSON at byte 1: a key is expected")
    expectError(try forge(manifest: { _ in "[]" }), "the manifest is not a JSON object")
    expectError(
      try forge(manifest: replacing(#""format":1"#, #""format":3"#)),
      "is in format 3, this version reads formats 1 and 2; get a newer Errata")
    for (old, new, message) in [
      (#""created":"2026-01-31T12:00:00Z","#, "", "created is missing"),
      (#""format":1"#, #""format":"1""#, "format is not an integer"),
      (#""version":"0""#, #""version":0"#, "tool.version is not a string"),
      (
        #""lambda":0.5"#, #""lambda":"0.5""#,
        "batches[0].method.lambda is not a number of zero or more, or an array of such numbers"
      ),
      (#""layers":[0]"#, #""layers":[0.5]"#, "batches[0].method.layers is not an array of integers"),
      (#""subject":"Subject 1","#, "", "batches[0].facts[1].subject is missing"),
      (#""dtype":"BF16""#, #""dtype":"I8""#, "base.tensors.w.dtype is not one of F32, F16 and BF16"),
      (#""shape":[3,4]"#, #""shape":[12]"#, "base.tensors.w.shape is [12], but the factors are for [3, 4]"),
      (#""shape":[3,4]"#, #""shape":[4,3]"#, "base.tensors.w.shape is [4, 3], but the factors are for [3, 4]"),
      (
        #""digest":""#, #""digest":"F"#,
        "batches[0].digest is not a SHA-256 value (64 lower-case hexadecimal digits)"
      ),
      (#""Subject 0""#, #""Subject 2""#, "batches[0].facts[0].id is not the digest of subject, prompt and target_new"),
      (#""tensors":{"w""#, #""tensors":{"v""#, "base.tensors does not name exactly the tensors that the batches edit"),
      (#""tool""#, #""result":{},"tool""#, "result does not name exactly the tensors that the batches edit"),
      (
        #""tool""#, #""parents":[{"patch":1}],"tool""#,
        "parents[0].patch is not a SHA-256 value (64 lower-case hexadecimal digits)"
      ),
      (#""facts":["#, #""terms":"things","facts":["#, #"batches[0].terms is not "facts" or "components""#),
      (
        #""facts":["#, #""tensors":{"v":{}},"facts":["#,
        "batches[0].tensors does not name exactly the tensors that the batches edit"
      ),
    ] {
      expectError(try forge(manifest: replacing(old, new)), "manifest: \(message)")
    }
    var repeated = PatchFixture(weights: ["w"])
    repeated.manifest.batches[0].facts[1] = repeated.manifest.batches[0].facts[0]
    expectError(try forge(repeated), "manifest: batches[0].facts is not free of repetitions")
  }

  @Test func refusesTensorsThatDoNotFit() throws {
    for name: ByteString in ["w/left", "0/left", "00/w/left", "1/w/left", "-1/w/left", "0/w/middle", "0/w\n/left"] {
      expectError(
        try forge { $0[name] = tensor(.i8, [1], [0]) }, "tensor \"\(name)\" has no place in a patch")
    }
    expectError(try forge { $0["0/w/left"] = nil }, "tensor \"0/w/left\" is missing")
    expectError(try forge { $0["0/w/right"] = nil }, "tensor \"0/w/right\" is missing")
    expectError(
      try forge { $0["0/w/left"] = tensor(.f16, [2, 3], Array(repeating: 0, count: 12)) },
      "tensor \"0/w/left\" [2, 3] and its right factor [2, 4] do not fit")
    expectError(
      try forge { $0["0/w/gram"] = tensor(.f32, [3], Array(repeating: 0, count: 12), "w/gram") },
      "tensor \"0/w/gram\" is F32 [3], but F64 [3] belongs there")
    expectError(
      try forge { $0["0/w/left"] = tensor(.f64, [3, 2], Array(repeating: 0, count: 48)) },
      "tensor \"0/w/left\" is F64 [3, 2], but F32, F16, I8 [3, 2] belongs there")
    expectError(
      try forge { $0["0/w/left"] = tensor(.f32, [3, 2], Array(repeating: 0, count: 24)) },
      "tensor \"0/w/left_exponents\" gives exponents to a float32 factor")
    expectError(
      try forge { $0["0/w/keys_exponents"] = tensor(.i8, [2], [0, 0], "w/keys_exponents") },
      "tensor \"0/w/keys_exponents\" gives exponents to keys that are not there")
    expectError(
      try forge { $0["0/w/right_exponents"] = tensor(.i8, [1], [0], "w/right_exponents") },
      "tensor \"0/w/right_exponents\" is I8 [1], but I8 [2] belongs there")
  }

  @Test func refusesBatchesThatDoNotFit() throws {
    var two = PatchFixture(factCounts: [1, 1], weights: ["w"])
    expectError(
      try forge(two) { $0 = $0.filter { $0.key.bytes[0] == UInt8(ascii: "0") } },
      "the manifest describes batch 1, but there are no tensors of it")
    two.manifest.batches[1].facts = []
    expectError(try forge(two), "batch 1 has 0 facts in the manifest and 1 terms in its factors")
    two.manifest.batches[1].terms = .components
    #expect(try readPatch(forge(two)).manifest.batches[1].terms == .components)
    expectError(try forge(fixesDigests: false), "batch 0 does not have the digest that the manifest records")
    let pair = PatchFixture(weights: ["v", "w"])
    expectError(
      try forge(pair) { content in
        for (part, shape): (String, Shape) in [("left", [3, 1]), ("right", [1, 4])] {
          let bytes = [UInt8](repeating: 0, count: shape.elementCount! * 2)
          content[ByteString("0/w/\(part)")] = tensor(.f16, shape, bytes, ByteString("w/\(part)"))
        }
        for part in ["gram", "left_exponents", "right_exponents"] { content[ByteString("0/w/\(part)")] = nil }
      }, "tensor \"0/w/left\" has 1 terms, other tensors of the batch have 2")
  }

  @Test func refusesValuesThatAreNotFinite() throws {
    expectError(
      try forge { $0["0/w/left"] = tensor(.f16, [3, 2], [0, 0x7C] + Array(repeating: 0, count: 10)) },
      "tensor \"0/w/left\" has a value that is not a finite float32 number")
    expectError(
      try forge { content in
        content["0/w/right_exponents"] = tensor(.i8, [2], [127, 0], "w/right_exponents")
      }, "tensor \"0/w/right\" has a value that is not a finite float32 number")
    expectError(
      try forge { content in
        let gram: [Double] = [1, .nan, 1]
        content["0/w/gram"] = tensor(.f64, [3], gram.withUnsafeBytes(Array.init), "w/gram")
      }, "tensor \"0/w/gram\" has a value that is not finite")
  }

  @Test func limitsSignatures() throws {
    let bytes = try PatchFixture().bytes()
    let end = bytes.count - PatchContainer.sealByteCount
    func signed(_ payloads: [[UInt8]]) -> [UInt8] {
      let frames = payloads.flatMap { ZstdFrame.skippable(magicNumber: 0x184D_2A53, payload: $0) }
      return resealed(bytes[..<end] + frames + bytes[end...])
    }
    #expect(throws: Never.self) { try readPatch(signed(Array(repeating: [1], count: 16))) }
    expectError(
      signed(Array(repeating: [1], count: 17)), "the number of signatures is 17, more than the 16 that are allowed")
    expectError(
      signed([Array(repeating: 1, count: 65537)]),
      "the size of a signature is 65537, more than the 65536 that are allowed")
  }
}
