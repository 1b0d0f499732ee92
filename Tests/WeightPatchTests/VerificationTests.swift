import Foundation
import Safetensors
import Tensors
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// A checkpoint with two patches, of which one does not edit `model.c.weight`: what holds, and every kind of damage.
@Suite struct VerificationTests {
  let fixture: CheckpointFixture
  let patches: [PatchFile]
  let edited: String
  let location: LedgerLocation

  init() throws {
    fixture = try CheckpointFixture(.singleFile)
    patches = try [
      fixture.patch("p.wpatch", [fixture.batch(["model.a.weight", "model.b.weight"], scale: 0.1, seed: 1)]),
      fixture.patch("q.wpatch", [fixture.batch(["model.a.weight"], scale: 0.1, seed: 2)]),
    ]
    edited = fixture.output("edited")
    try apply(patches, to: fixture.path, output: edited)
    location = try LedgerLocation(checkpoint: edited, isDirectory: true)
  }

  private func findings(base: String? = nil) throws -> [TensorFinding] {
    try CheckpointState(path: edited).verify(against: base.map { try Checkpoint(path: $0) }).findings
  }

  private func flip(_ path: String, _ offset: Int) throws {
    var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[offset] ^= 1
    try AtomicFile.write(bytes, to: path)
  }

  private func flipTensor(_ name: ByteString) throws {
    try flip(edited + "/model.safetensors", Checkpoint(path: edited).tensor(named: name).info.fileRange.lowerBound)
  }

  private func digest(_ name: ByteString, in path: String) throws -> Digest {
    try Checkpoint(path: path).digest(of: name)
  }

  @Test func aSoundCheckpointHolds() throws {
    let before = try fileDigests(edited)
    let report = try CheckpointState(path: edited).verify()
    #expect(report.findings.isEmpty && report.patchesForAnotherBase.isEmpty)
    #expect(report.checked == ["model.a.weight", "model.b.weight"] && report.edited.map(\.name) == report.checked)
    for tensor in report.edited {
      #expect(try tensor.recorded.base == digest(tensor.name, in: fixture.path))
      #expect(try tensor.recorded.current == digest(tensor.name, in: edited) && tensor.found == tensor.recorded.current)
    }
    #expect(report.patches.map(\.patch) == patches.map(\.identifier))
    try report.check()
    var steps: [Int] = []
    let whole = try CheckpointState(path: edited).verify(against: Checkpoint(path: fixture.path)) { done, total in
      steps.append(done)
      #expect(done <= total)
    }
    #expect(whole.findings.isEmpty && whole.checked.count == 5 && steps.count == 5 && steps == steps.sorted())
    #expect(try fileDigests(edited) == before, "nothing is written")
  }

  @Test(arguments: CheckpointFixture.Layout.allCases)
  func aCheckpointWithoutLedgerIsComparedWithTheBase(layout: CheckpointFixture.Layout) throws {
    let fixture = try CheckpointFixture(layout)
    let other = try CheckpointFixture(layout, seed: 2)
    let state = try CheckpointState(path: fixture.path)
    #expect(try state.verify().checked.isEmpty)
    #expect(try state.verify(against: state.checkpoint).findings.isEmpty)
    #expect(
      try state.verify(against: Checkpoint(path: other.path)).findings
        == CheckpointFixture.matrices.map { TensorFinding(tensor: $0.name, problem: .differsFromBase) })
  }

  @Test func aFlippedByteInAnEditedTensor() throws {
    let expected = try digest("model.b.weight", in: edited)
    try flipTensor("model.b.weight")
    let found = try digest("model.b.weight", in: edited)
    #expect(
      try findings() == [
        TensorFinding(tensor: "model.b.weight", problem: .changed(expected: expected, found: found))
      ])
    let error = ErrataError(
      .verification,
      "\(edited): 1 of 2 tensors checked is not what the ledger and the base say; restore the checkpoint from its "
        + "source"
    )
    #expect(throws: error) { try CheckpointState(path: edited).verify().check() }
  }

  @Test func aFlippedByteInATensorThatNoPatchEdits() throws {
    for name in ["model.c.weight", "model.norm.weight", "0.flags"] { try flipTensor(ByteString(name)) }
    #expect(try findings().isEmpty, "without the base it cannot be known")
    #expect(
      try findings(base: fixture.path)
        == ["0.flags", "model.c.weight", "model.norm.weight"].map {
          TensorFinding(tensor: ByteString($0), problem: .differsFromBase)
        })
  }

  @Test func aReplacedTensor() throws {
    var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: edited + "/model.safetensors")))
    let range = try Checkpoint(path: edited).tensor(named: "model.a.weight").info.fileRange
    bytes.replaceSubrange(range, with: fixture.weights["model.a.weight"]!.bytes)
    try AtomicFile.write(bytes, to: edited + "/model.safetensors")
    #expect(try findings(base: fixture.path) == [TensorFinding(tensor: "model.a.weight", problem: .unpatched)])
  }

  @Test func aTensorThatIsGone() throws {
    let tensor = try Checkpoint(path: edited).tensor(named: "model.b.weight")
    try SafetensorsWriter.write(
      ["model.b.weight": (tensor.dtype, tensor.shape, Array(tensor.bytes)), "more": (.u8, [1], [0])], metadata: [:],
      to: edited + "/model.safetensors")
    #expect(try findings() == [TensorFinding(tensor: "model.a.weight", problem: .missing)])
    #expect(
      try findings(base: fixture.path) == [
        TensorFinding(tensor: "0.flags", problem: .missing), TensorFinding(tensor: "model.a.weight", problem: .missing),
        TensorFinding(tensor: "model.c.weight", problem: .missing),
        TensorFinding(tensor: "model.norm.weight", problem: .missing),
        TensorFinding(tensor: "more", problem: .notInBase),
      ])
  }

  /// Every byte of an undo record, but for the length of a chunk that is longer than the tensor, which says nothing.
  @Test func aFlippedByteInAnUndoRecord() throws {
    let path = location.undoRecord(of: "model.a.weight").path
    let count = try Data(contentsOf: URL(fileURLWithPath: path)).count
    for offset in stride(from: 0, to: count, by: 7) where !(20..<24).contains(offset) {
      try flip(path, offset)
      let findings = try findings()
      #expect(findings.map(\.tensor) == ["model.a.weight"], "byte \(offset)")
      #expect(findings.allSatisfy { $0.problem.name == "no_way_back" }, "byte \(offset)")
      try flip(path, offset)
    }
    try flip(path, count - 1)
    let reason =
      "\(path): damaged undo record: it is not the record of model.a.weight; restore the base checkpoint from its "
      + "source"
    #expect(try findings() == [TensorFinding(tensor: "model.a.weight", problem: .noWayBack(reason: reason))])
    try FileManager.default.removeItem(atPath: path)
    #expect(try findings().map(\.problem.name) == ["no_way_back"])
  }

  /// Every digit of the ledger's digests, and everything else that is not for people.
  @Test func aFlippedByteInTheLedger() throws {
    let text = try String(contentsOfFile: location.manifest.path, encoding: .utf8)
    for digest in try [
      digest("model.a.weight", in: edited), digest("model.b.weight", in: edited),
      digest("model.a.weight", in: fixture.path), digest("model.b.weight", in: fixture.path),
    ].map(\.description) {
      let damaged = String(digest.reversed())
      try AtomicFile.write(
        Array(text.replacingOccurrences(of: digest, with: damaged).utf8), to: location.manifest.path)
      #expect(try findings().count == 1)
      #expect(throws: ErrataError.self) { try CheckpointState(path: edited).verify().check() }
    }
    let identifier = patches[0].identifier.description
    for (part, damaged) in [("\"tensors\"", "\"tensorz\""), (identifier, String(identifier.reversed()))] {
      try AtomicFile.write(Array(text.replacingOccurrences(of: part, with: damaged).utf8), to: location.manifest.path)
      #expect(throws: ErrataError.self) { try CheckpointState(path: edited) }
    }
  }

  @Test func aFlippedByteInAStoredPatch() throws {
    let path = location.patch(patches[0].identifier).path
    let count = try Data(contentsOf: URL(fileURLWithPath: path)).count
    for offset in stride(from: 0, to: count, by: 41) {
      try flip(path, offset)
      #expect("byte \(offset)") { try CheckpointState(path: edited) } throws: {
        ($0 as? ErrataError)?.kind == .damagedInput
      }
      try flip(path, offset)
    }
    #expect(try findings().isEmpty)
  }

  /// A ledger that was forged to agree with a changed tensor: the undo record does not.
  @Test func aLedgerThatAgreesWithAChangedTensor() throws {
    let before = try digest("model.a.weight", in: edited)
    try flipTensor("model.a.weight")
    let after = try digest("model.a.weight", in: edited)
    let text = try String(contentsOfFile: location.manifest.path, encoding: .utf8)
    try AtomicFile.write(
      Array(text.replacingOccurrences(of: before.description, with: after.description).utf8), to: location.manifest.path
    )
    #expect(try findings().map(\.problem.name) == ["no_way_back"])
  }

  @Test func anotherBase() throws {
    let other = try CheckpointFixture(.singleFile, seed: 2)
    let recorded = try digest("model.a.weight", in: fixture.path)
    let found = try digest("model.a.weight", in: other.path)
    let findings = try findings(base: other.path)
    #expect(findings.map(\.tensor) == ["model.a.weight", "model.b.weight", "model.c.weight"])
    #expect(findings[0].problem == .otherBase(expected: recorded, found: found))
    #expect(findings[2].problem == .differsFromBase)

    let forced = other.output("forced")
    try apply([patches[1]], to: other.path, output: forced, force: true)
    let report = try CheckpointState(path: forced).verify(against: Checkpoint(path: other.path))
    #expect(report.findings.isEmpty && report.patchesForAnotherBase.map(\.name) == ["q.wpatch"])
  }

  @Test func theWordsOfFindings() {
    let (one, two) = (Digest(of: [1]), Digest(of: [2]))
    let expected: [(TensorFinding.Problem, String)] = [
      (.missing, "is missing"), (.unpatched, "holds its base: the patches are not in it"),
      (
        .changed(expected: one, found: two),
        "is neither its base nor its base plus the patches: expected 4bf5122f3445, found dbc1b4c900ff"
      ),
      (.noWayBack(reason: "x"), "does not lead back to its base: x"),
      (
        .notBasePlusPatches(expected: one, found: two),
        "is not its base plus the patches: expected 4bf5122f3445, found dbc1b4c900ff"
      ),
      (
        .otherBase(expected: one, found: two),
        "was edited on another base: the ledger says 4bf5122f3445, the base has dbc1b4c900ff"
      ),
      (.differsFromBase, "is edited by no patch, and differs from the base's"), (.notInBase, "is not in the base"),
    ]
    for (problem, text) in expected { #expect(problem.description == text) }
    func message(tensors: Int, files: Int, areNamed: Bool = false) -> String {
      ErrataError.doesNotVerify(
        VerificationReport(
          checkpoint: "m", patches: [], areNamed: areNamed, patchesForAnotherBase: [],
          checked: (0..<9).map { ByteString("\($0)") }, edited: [],
          findings: (0..<tensors).map { TensorFinding(tensor: ByteString("\($0)"), problem: .missing) },
          comparedFiles: ["a", "b", "c"],
          fileFindings: (0..<files).map { FileFinding(file: "\($0)", problem: .missing) })
      ).message
    }
    let ending = "; restore the checkpoint from its source"
    #expect(
      message(tensors: 2, files: 0) == "m: 2 of 9 tensors checked are not what the ledger and the base say" + ending)
    #expect(
      message(tensors: 1, files: 1)
        == "m: 1 of 9 tensors checked and 1 of 3 files beside the weights are not what the ledger and the base say"
        + ending)
    #expect(message(tensors: 0, files: 1) == "m: 1 of 3 files beside the weights is not what the base has" + ending)
    #expect(
      message(tensors: 1, files: 0, areNamed: true)
        == "m: 1 of 9 tensors checked is not what the base and the patches say" + ending)
  }
}
