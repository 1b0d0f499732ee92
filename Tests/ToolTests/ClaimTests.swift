import Foundation
import Tensors
import Testing

extension ToolTests {
  /// What tools say about a checkpoint: no more than what was compared with what.
  @Suite struct Claims {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let tensor = "model.layers.1.mlp.down_proj.weight"
    private static let eiffel = "samples/eiffel-tower.wpatch"
    private static let five = "samples/five-facts.wpatch"

    /// Makes `other`, a checkpoint whose edited tensors are not those that the samples were made for, and applies a
    /// patch to it by force: `forced`.
    private func force() throws {
      try scratch.succeed("apply", "samples/model", "samples/twenty-facts.wpatch", "-o", "other", "--quiet")
      try scratch.remove("other/.errata")
      try scratch.succeed("apply", "other", Self.eiffel, "--force", "-o", "forced", "--quiet")
    }

    /// Runs a command that reports, and then fails.
    private func report(
      _ arguments: [String], exitCode: Int32, at location: SourceLocation = #_sourceLocation
    ) throws -> ToolResult {
      let result = try Tool.errata(arguments, in: scratch.path)
      #expect(result.exitCode == exitCode, "\(result.errors)", sourceLocation: location)
      return result
    }

    // MARK: revert

    @Test func revertVouchesOnlyForWhatItCompared() throws {
      try scratch.succeed("apply", "samples/model", Self.eiffel, "-o", "edited", "--quiet")
      #expect(
        try scratch.succeed("revert", "edited", "-o", "restored").output
          == "reverted 1 fact in 1 tensor: 9212b2e27263 (eiffel-tower.wpatch)\nrestored: 1 tensor written, no patch "
          + "is left: the edited tensor has the digest of the base that the patch was made for\n")
      try force()
      let back = try scratch.succeed("revert", "forced", "-o", "back", "--json")
      #expect(try back.json["patches_for_another_base"]?.arrayValue?.count == 1)
      let answer = try scratch.succeed("revert", "forced", "--in-place").output
      #expect(
        answer.hasSuffix(
          ", no patch is left: the edited tensor has the digest that the ledger recorded when it was edited, which is "
            + "not that of the base that 9212b2e27263 (eiffel-tower.wpatch) was made for\n"))
      #expect(try scratch.bytes("forced/model.safetensors") == scratch.bytes("other/model.safetensors"))
    }

    // MARK: A lost ledger

    @Test func revertSaysThatAnUndoRecordIsLost() throws {
      try scratch.succeed("apply", "samples/model", Self.eiffel, "-o", "edited", "--quiet")
      try scratch.remove("edited/.errata")
      try scratch.fail(
        "revert", "edited", Self.eiffel, "-o", "restored", exitCode: 1,
        message:
          "errata revert: \(Self.eiffel): it is in the weights of edited, but its undo record is not here; "
          + "restore edited/.errata, or take the base checkpoint from its source")
      // Under another patch's ledger it is still in the weights.
      try scratch.succeed("apply", "edited", "samples/twenty-facts.wpatch", "--force", "-o", "both", "--quiet")
      try scratch.fail(
        "revert", "both", Self.eiffel, "-o", "restored", exitCode: 1,
        message:
          "errata revert: \(Self.eiffel): it is in the weights of both, but its undo record is not here; restore "
          + "both/.errata, or take the base checkpoint from its source")
      let none = try scratch.succeed("revert", "samples/model", Self.eiffel, "-o", "same").output
      #expect(none.hasPrefix("not applied: \(Self.eiffel)\n"))
      try scratch.expectSampleModel("same")
      try force()
      try scratch.fail(
        "revert", "other", Self.eiffel, "-o", "restored", exitCode: 1,
        message:
          "errata revert: \(Self.eiffel): no ledger of other names it, and the weights are neither the base "
          + "that it was made for nor that base with it; 'errata verify other --base BASE --patch \(Self.eiffel)' "
          + "compares them")
    }

    @Test func verifyProvesBaseAndPatchesWithoutALedger() throws {
      try scratch.succeed("apply", "samples/model", Self.eiffel, Self.five, "-o", "edited", "--quiet")
      try scratch.remove("edited/.errata")
      let named = ["verify", "edited", "--base", "samples/model", "--patch", Self.five]
      let proof = try scratch.succeed(named + ["--patch", Self.eiffel]).output
      #expect(
        proof == "edited: all 56 tensors are those of samples/model plus 2 patches (3 edited), and 4 files beside the "
          + "weights are the same, bit for bit; the ledger was not looked at\n")
      let json = try scratch.succeed(named + ["--patch", Self.eiffel, "--json"]).json
      #expect(json["verified"] == true && json["edited"]?.arrayValue?.count == 3 && json["findings"] == [])
      let less = try report(named, exitCode: 5)
      #expect(less.output.hasPrefix("\(Self.tensor): is not its base plus the patches: expected "))
      #expect(
        less.errors == "errata verify: edited: 1 of 56 tensors checked is not what the base and the patches say; "
          + "restore the checkpoint from its source\n")
      let none = try report(
        ["verify", "samples/model", "--base", "samples/model", "--patch", Self.eiffel], exitCode: 5)
      #expect(none.output == "\(Self.tensor): holds its base: the patches are not in it\n")
      try scratch.fail(
        "verify", "edited", "--patch", Self.eiffel, exitCode: 2,
        message: "errata verify: --patch goes with --base (see 'errata verify --help')")
    }

    /// The policy asks for the patches that are named.
    @Test func namedPatchesAreAskedForSignatures() throws {
      try scratch.succeed("keygen", "-o", "k")
      try scratch.succeed("sign", Self.eiffel, "--key", "k", "-o", "p.wpatch")
      try scratch.succeed("apply", "samples/model", "p.wpatch", "-o", "edited", "--quiet")
      try scratch.remove("edited/.errata")
      let proof = ["verify", "edited", "--base", "samples/model", "--key", "k.pub", "--patch"]
      try scratch.succeed(proof + ["p.wpatch"])
      _ = try report(proof + [Self.eiffel], exitCode: 5)
    }

    // MARK: The base

    @Test func verifyComparesTheFilesBesideTheWeights() throws {
      try scratch.succeed("apply", "samples/model", Self.eiffel, "-o", "edited", "--quiet")
      #expect(
        try scratch.succeed("verify", "edited", "--base", "samples/model").output
          == "edited: all 56 tensors are those of samples/model plus 1 patch (1 edited), and 4 files beside the "
          + "weights are the same, bit for bit\n")
      let config = String(decoding: try scratch.bytes("edited/config.json"), as: UTF8.self)
      try scratch.write(
        config.replacing(/"rope_theta": *[0-9.]+/, with: #""rope_theta": 7.5"#), to: "edited/config.json")
      let changed = try report(["verify", "edited", "--base", "samples/model"], exitCode: 5)
      #expect(changed.output == "config.json: differs from the base's: rope_theta\n")
      #expect(
        changed.errors == "errata verify: edited: 1 of 4 files beside the weights is not what the base has; "
          + "restore the checkpoint from its source\n")
      try scratch.write(config, to: "edited/config.json")
      try scratch.remove("edited/generation_config.json")
      try scratch.write("{{ messages }}", to: "edited/chat_template.jinja")
      try scratch.write(scratch.bytes("edited/tokenizer.json") + [10], to: "edited/tokenizer.json")
      try scratch.write("read me", to: "edited/README.md")
      let more = try report(["verify", "edited", "--base", "samples/model", "--json"], exitCode: 5)
      let findings = try #require(try more.json["file_findings"]?.arrayValue)
      #expect(findings.map { $0["file"] } == ["chat_template.jinja", "generation_config.json", "tokenizer.json"])
      #expect(findings.map { $0["problem"] } == ["not_in_base", "missing", "differs_from_base"])
      #expect(try more.json["verified"] == false && more.json["files_checked"]?.arrayValue?.count == 5)
    }

    @Test func applyNotesAnotherConfiguration() throws {
      try scratch.copyModel()
      let config = String(decoding: try scratch.bytes("model/config.json"), as: UTF8.self)
      try scratch.write(config + "\n", to: "model/config.json")
      try scratch.write(scratch.bytes("model/tokenizer.json") + [10], to: "model/tokenizer.json")
      let found = try Digest(contentsOf: scratch("model/config.json")).abbreviated
      let result = try scratch.succeed("apply", "model", Self.eiffel, "--dry-run", "--quiet")
      #expect(
        result.errors.hasPrefix(
          "note: \(Self.eiffel): was made with another config.json (e96feb7b6484) than model/config.json (\(found)): "
            + "what it says of its facts may not hold here\nnote: \(Self.eiffel): was made with another tokenizer.json "
            + "(e6514c63678f) "
        ))
      let json = try scratch.succeed("apply", "model", Self.eiffel, "--dry-run", "--json").json
      #expect(json["notes"]?.arrayValue?.count == 2)
      #expect(try scratch.succeed("apply", "samples/model", Self.eiffel, "--dry-run").errors == "")
    }

    // MARK: Other weights

    @Test func anotherSetOfWeightsIsNoted() throws {
      try scratch.copyModel()
      for name in ["consolidated.safetensors", "pytorch_model.bin", "training_args.bin", "adapter_model.safetensors"] {
        try scratch.write("", to: "model/\(name)")
      }
      let note =
        "note: model: holds other weights too, which are neither read nor edited: consolidated.safetensors, "
        + "pytorch_model.bin; whoever loads them does not see this checkpoint\n"
      let applied = try scratch.succeed("apply", "model", Self.eiffel, "--in-place", "--quiet", "--json")
      #expect(applied.errors == note)
      #expect(try applied.json["notes"]?.arrayValue?.count == 1)
      #expect(try scratch.succeed("verify", "model").output.hasSuffix(note))
      let reverted = try scratch.succeed("revert", "model", "--in-place", "--json")
      #expect(reverted.errors == note)
      #expect(try reverted.json["notes"]?.arrayValue?.count == 1)
    }

    // MARK: Several

    @Test func showAndVerifyTakeSeveral() throws {
      let single = try [Self.eiffel, "samples/model"].map { try scratch.succeed("show", $0).output }
      #expect(try scratch.succeed("show", Self.eiffel, "samples/model").output == single.joined(separator: "\n"))
      #expect(try scratch.succeed("show", Self.eiffel, "samples/model", "--json").json.arrayValue?.count == 2)
      #expect(try scratch.succeed("verify", Self.eiffel, Self.five, "--json").json.arrayValue?.count == 2)
      try scratch.write(scratch.bytes(Self.five).dropLast(), to: "bad.wpatch")
      let mixed = try report(["verify", "nowhere.wpatch", "bad.wpatch", Self.eiffel], exitCode: 1)
      #expect(
        mixed.output.hasPrefix("\(Self.eiffel): patch 9212b2e27263") && mixed.errors.filter(\.isNewline).count == 2)
      let damaged = try report(["verify", Self.eiffel, "bad.wpatch", "--json"], exitCode: 6)
      #expect(try damaged.json.arrayValue?.count == 2 && damaged.errors.hasPrefix("errata verify: bad.wpatch: "))
      #expect(try damaged.json.arrayValue?.last?["error"]?["subject"] == ["bad.wpatch"])
    }
  }
}
