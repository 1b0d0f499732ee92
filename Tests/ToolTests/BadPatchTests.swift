import Foundation
import Testing

extension ToolTests {
  /// Patches that are damaged, or do not fit.
  @Suite struct BadPatches {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let notAPatch = "is not a .wpatch file, or its first bytes are damaged"
    private static let noSeal = "truncated or damaged: there is no seal at its end; fetch it again"
    private static let brokenSeal = "damaged: its bytes do not match its seal; fetch it again"

    private func failToRead(_ bytes: some Sequence<UInt8>, _ message: String) throws {
      try scratch.write(bytes, to: "bad.wpatch")
      try scratch.fail("show", "bad.wpatch", exitCode: 6, message: "errata show: bad.wpatch: \(message)")
      try scratch.fail(
        "apply", "samples/model", "bad.wpatch", "-o", "edited", exitCode: 6,
        message: "errata apply: bad.wpatch: \(message)")
    }

    @Test(arguments: [
      (0, notAPatch), (1, notAPatch), (8, notAPatch), (20, notAPatch), (100, noSeal), (1500, noSeal), (3027, noSeal),
      (3066, noSeal),
    ])
    func truncated(length: Int, message: String) throws {
      let patch = try scratch.bytes("samples/eiffel-tower.wpatch")
      #expect(patch.count == 3067)
      try failToRead(patch.prefix(length), message)
    }

    @Test(arguments: [
      (0, notAPatch), (4, notAPatch), (8, notAPatch), (30, brokenSeal), (60, brokenSeal), (200, brokenSeal),
      (1500, brokenSeal), (3007, brokenSeal), (3066, brokenSeal),
    ])
    func changed(position: Int, message: String) throws {
      var patch = try scratch.bytes("samples/eiffel-tower.wpatch")
      patch[position] ^= 0x55
      try failToRead(patch, message)
    }

    @Test func notThere() throws {
      try scratch.fail(
        "show", "nowhere", exitCode: 1, message: "errata show: nowhere: cannot open: no such file or directory")
      try scratch.fail(
        "apply", "samples/model", "nowhere", "-o", "edited", exitCode: 1,
        message: "errata apply: nowhere: cannot open: no such file or directory")
    }

    @Test func anotherFile() throws {
      try failToRead(try scratch.bytes("samples/facts.json"), Self.notAPatch)
    }

    @Test func forAnotherBase() throws {
      try scratch.spoilWeight(ofLayer: 1)
      try scratch.fail(
        "apply", "model", "samples/eiffel-tower.wpatch", "-o", "edited", exitCode: 3,
        message: "errata apply: samples/eiffel-tower.wpatch: was made for another base than model: "
          + "model.layers.1.mlp.down_proj.weight: expected fed1455eee19, found ae6f471d6606 "
          + "(--force applies it all the same)")
    }

    @Test func aCheckpointChangedSince() throws {
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "model", "--quiet")
      try scratch.changeWeight(ofLayer: 1)
      let result = try scratch.errata("revert", "model", "-o", "restored")
      #expect(result.exitCode == 3)
      #expect(
        result.errors.hasPrefix(
          "errata revert: model: was changed after the last apply or revert: model.layers.1.mlp.down_proj.weight: "
            + "expected "
        ))
      #expect(result.errors.filter(\.isNewline).count == 1)
      #expect(!scratch.exists("restored"))
    }

    @Test func notApplied() throws {
      try scratch.fail(
        "revert", "samples/model", "nonsense", "-o", "restored", exitCode: 1,
        message: "errata revert: nonsense: is neither a file nor a patch applied to samples/model: no patch is")
    }
  }
}

extension Scratch {
  /// Makes `model`, a copy of the sample model with one bit of a layer's down-projection flipped.
  func spoilWeight(ofLayer layer: Int) throws {
    try copyModel()
    try changeWeight(ofLayer: layer)
  }

  /// Changes the first bytes of a layer's down-projection in `model`, by default one bit.
  func changeWeight(ofLayer layer: Int, _ change: (inout [UInt8]) -> Void = { $0[0] ^= 1 }) throws {
    var bytes = try bytes("model/model.safetensors")
    let headerLength = bytes[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = String(decoding: bytes[8..<8 + headerLength], as: UTF8.self)
    let pattern = try Regex<(Substring, Substring)>(
      #""model\.layers\.\#(layer)\.mlp\.down_proj\.weight":\{[^}]*"data_offsets":\[([0-9]+)"#)
    let offset = try #require(header.firstMatch(of: pattern).flatMap { Int($0.1) })
    let start = 8 + headerLength + offset
    var first = Array(bytes[start..<start + 8])
    change(&first)
    bytes.replaceSubrange(start..<start + 8, with: first)
    try write(bytes, to: "model/model.safetensors")
  }
}
