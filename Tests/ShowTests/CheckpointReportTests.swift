import Foundation
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import CheckpointLedger
@testable import errata_show

/// What `errata show` says about a checkpoint: the worked example of the Spec with its patch applied, word for word.
@Suite struct CheckpointReportTests {
  let directory: TemporaryDirectory
  let base: String
  let edited: String
  let patch: String

  init() throws {
    let examples =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path + "/Spec/examples"
    directory = try TemporaryDirectory()
    (base, patch) = (examples + "/base.safetensors", examples + "/example.wpatch")
    edited = directory("edited.safetensors")
    try CheckpointState(path: base).planApply([PatchFile(path: patch)], time: "2026-02-01T00:00:00Z").write(to: edited)
  }

  @Test func describesTheLedger() throws {
    let expected = """
      checkpoint  \(edited)

      patch         name            applied               edits                author
      883cb9dd4a77  example.wpatch  2026-02-01T00:00:00Z  2 facts in 1 tensor  The Errata authors

      fact              subject     prompt                old -> new              P/token before\
        P/token after (when made)  joint after  patch
      3b827a65514852a3  Kazakhstan  The capital of {} is  Nur-Sultan -> Astana             12.5%\
                            93.8%            -  883cb9dd4a77
      97a9fa77c77b321d  Pluto       {} is a               planet -> dwarf planet               -\
                                -            -  883cb9dd4a77

      tensor                base          current       patches
      mlp.down_proj.weight  BASE          CURRENT       883cb9dd4a77
      """
    let state = try CheckpointState(path: edited)
    let tensor = state.ledger.tensors["mlp.down_proj.weight"]!
    #expect(
      CheckpointReport(state).lines.joined(separator: "\n")
        == expected.replacingOccurrences(of: "BASE        ", with: tensor.base.abbreviated)
        .replacingOccurrences(of: "CURRENT     ", with: tensor.current.abbreviated))
  }

  @Test func saysThatThereIsNoLedger() throws {
    let report = try CheckpointReport(CheckpointState(path: base))
    #expect(report.lines == ["\(base): no ledger, so no patch is recorded; the weights were compared with nothing"])
    #expect(report.json["has_ledger"] == false && report.json["patches"] == [])
  }

  @Test func answersInJSON() throws {
    let state = try CheckpointState(path: edited)
    let json = CheckpointReport(state).json
    let identifier = JSON(state.ledger.patches[0].patch.description)
    #expect(json["has_ledger"] == true && json["checkpoint"] == JSON(edited))
    #expect(json["patches"]?.arrayValue?[0]["patch"] == identifier)
    #expect(json["patches"]?.arrayValue?[0]["applied"] == "2026-02-01T00:00:00Z")
    #expect(json["facts"]?.arrayValue?.map { $0["patch"] } == [identifier, identifier])
    #expect(json["facts"]?.arrayValue?[1]["subject"] == "Pluto")
    #expect(json["tensors"]?.arrayValue?[0]["patches"] == [identifier])
  }

  @Test(arguments: [
    ("Kazakhstan", ["Kazakhstan"]), ("STAN", ["Kazakhstan"]), ("plut", ["Pluto"]), ("97a9", ["Pluto"]),
    ("3B827A65514852A3", ["Kazakhstan"]), ("97a", []), ("Astana", []), ("u", ["Pluto"]),
  ])
  func findsFacts(text: String, subjects: [String]) throws {
    let facts = try CheckpointReport(CheckpointState(path: edited)).facts
    #expect(facts.filter { $0.matches(text) }.map(\.fact.subject) == subjects)
  }

  @Test func aFactThatIsNotThereIsAnError() throws {
    for path in [patch, edited] {
      #expect(
        throws: ErrataError(
          .general,
          "\(path): no fact has 'Ceres' in its subject or at the start of its ID; show it without --fact")
      ) { try Show.parse([path, "--fact", "Ceres"]).run() }
      for arguments in [[path], [path, "--json"], [path, "--fact", "Pluto"], [path, "--fact", "Pluto", "--json"]] {
        try Show.parse(arguments).run()
      }
    }
    #expect(throws: (any Error).self) { try Show.parse([patch, "--fact", ""]) }
  }
}
