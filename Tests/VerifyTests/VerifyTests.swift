import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import errata_verify

/// What `errata verify` says about the worked example of the Spec, word for word, and how it ends.
@Suite struct VerifyTests {
  let directory: TemporaryDirectory
  let base: String
  let edited: String
  let patch: PatchFile

  init() throws {
    let examples =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path + "/Spec/examples"
    directory = try TemporaryDirectory()
    (base, edited) = (examples + "/base.safetensors", directory.path + "/edited.safetensors")
    patch = try PatchFile(path: examples + "/example.wpatch")
    try CheckpointState(path: base).planApply([patch], time: "2026-02-01T00:00:00Z").write(to: edited)
  }

  private func answer(_ path: String, base: String? = nil) throws -> CheckpointAnswer {
    let report = try CheckpointState(path: path).verify(
      against: base.map { try CheckpointState(path: $0).checkpoint })
    return CheckpointAnswer(report: report, signatures: [], base: base, asksForSignatures: false, otherWeights: nil)
  }

  private var patchAnswer: PatchAnswer {
    PatchAnswer(file: patch, signatures: SignatureReport(of: patch, policy: nil))
  }

  private func verify(_ arguments: String...) throws { try Verify.parse(arguments + ["--quiet"]).run() }

  private func flip(_ path: String, at offset: Int) throws {
    var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[bytes.count + offset] ^= 1
    try AtomicFile.write(bytes, to: path)
  }

  @Test func whatHolds() throws {
    #expect(
      patchAnswer.lines
        == [
          "\(patch.path): patch 883cb9dd4a778d93bacebe53ce720ece5d6813b28f11ee33a7ce084b15d276a5, 2 facts in 1 tensor: "
            + "seal, structure and digests hold"
        ])
    #expect(patchAnswer.json["verified"] == true)
    #expect(try answer(edited).lines == ["\(edited): 1 edited tensor is its recorded base plus 1 patch, bit for bit"])
    #expect(
      try answer(edited, base: base).lines
        == ["\(edited): its one tensor is that of \(base) plus 1 patch (1 edited), bit for bit"])
    #expect(
      try answer(base).lines
        == ["\(base): no ledger, and so nothing to compare its 1 tensor with: --base compares them with a base"])
    #expect(try answer(base).json["verified"] == .null)
    #expect(try answer(base, base: base).lines == ["\(base): its one tensor is that of \(base), bit for bit"])
    for arguments in [[patch.path], [edited], [edited, "--base", base], [base], [edited, "--json"]] {
      try Verify.parse(arguments + ["--quiet"]).run()
    }
  }

  @Test func whatDoesNotHoldIsNamed() throws {
    try flip(edited, at: -1)
    let lines = try answer(edited).lines
    #expect(lines.count == 1)
    #expect(
      lines[0].hasPrefix("mlp.down_proj.weight: is neither its base nor its base plus the patches: expected "))
    let json = try answer(edited, base: base).json
    #expect(json["verified"] == false && json["base"] == JSON(base))
    #expect(json["findings"]?.arrayValue?[0]["problem"] == "changed")
    let tensor = try #require(json["edited"]?.arrayValue?.first)
    func text(_ digest: Digest) -> JSON { JSON(digest.description) }
    #expect(tensor["tensor"] == "mlp.down_proj.weight")
    #expect(try tensor["base"] == text(Checkpoint(path: base).digest(of: "mlp.down_proj.weight")))
    #expect(tensor["expected"] == text(try #require(patch.manifest.result?["mlp.down_proj.weight"])))
    #expect(try tensor["now"] == text(Checkpoint(path: edited).digest(of: "mlp.down_proj.weight")))
    let error = ErrataError(
      .verification,
      "\(edited): 1 of 1 tensors checked is not what the ledger and the base say; restore the checkpoint from its "
        + "source"
    )
    for arguments in [[edited], [edited, "--base", base], [edited, "--json"]] {
      #expect(throws: error) { try Verify.parse(arguments + ["--quiet"]).run() }
    }
  }

  @Test func aDamagedPatchEndsWithItsExitCode() throws {
    let damaged = directory.path + "/x.wpatch"
    try AtomicFile.write(Array(Data(contentsOf: URL(fileURLWithPath: patch.path))), to: damaged)
    try flip(damaged, at: -200)
    #expect(
      throws: ErrataError(.damagedInput, "\(damaged): damaged: its bytes do not match its seal; fetch it again")
    ) { try verify(damaged) }
    let stored = "\(edited).errata/patches/\(patch.identifier).wpatch"
    try flip(stored, at: -200)
    #expect(
      throws: ErrataError(.damagedInput, "\(stored): damaged: its bytes do not match its seal; fetch it again")
    ) { try verify(edited) }
  }

  @Test func aBaseIsForCheckpoints() {
    #expect(throws: (any Error).self) { try Verify.parse([patch.path, "--base", base]) }
  }
}
