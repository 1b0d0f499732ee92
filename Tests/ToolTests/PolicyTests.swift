import Foundation
import Tensors
import Testing

extension ToolTests {
  /// What a policy asks for beyond a signature: that it speaks for what is there.
  @Suite struct Policies {
    let scratch: Scratch

    init() throws {
      scratch = try Scratch()
      try scratch.succeed("keygen", "-o", "k")
      try scratch.write(#"{"version": 1, "keys": [{"file": "k.pub"}]}"#, to: "policy.json")
      try scratch.succeed("sign", Self.eiffel, "--key", "k", "-o", "p.wpatch")
    }

    private static let eiffel = "samples/eiffel-tower.wpatch"
    private static let policy = ["ERRATA_POLICY": "policy.json"]

    private func refuse(_ arguments: String..., at location: SourceLocation = #_sourceLocation) throws -> ToolResult {
      let result = try Tool.errata(arguments, in: scratch.path)
      #expect(result.exitCode == 5, "\(result.errors)", sourceLocation: location)
      return result
    }

    /// The signer approved the patch on the base that it names, not on any other.
    @Test func aForcedBaseDoesNotVerify() throws {
      try scratch.succeed("apply", "samples/model", "samples/twenty-facts.wpatch", "-o", "other", "--quiet")
      try scratch.remove("other/.errata")
      try scratch.succeed("apply", "other", "p.wpatch", "--force", "-o", "shipped", "--quiet")
      try scratch.succeed("verify", "shipped")
      for option in [["--policy", "policy.json"], ["--key", "k.pub"]] {
        let refused = try refuse("verify", "shipped", option[0], option[1])
        #expect(refused.output.contains("\nnote: 9212b2e27263 (p.wpatch) was made for another base\n"))
        #expect(
          refused.errors
            == "errata verify: shipped: 9212b2e27263 (p.wpatch) was made for another base, and a signature "
            + "speaks for a patch on the base that it was made for only; apply it there\n")
        #expect(try refuse("verify", "shipped", option[0], option[1], "--json").json["verified"] == false)
      }
      // With a base that is as foreign as the ledger, and without a ledger.
      _ = try refuse("verify", "shipped", "--policy", "policy.json", "--base", "other")
      try scratch.remove("shipped/.errata")
      _ = try refuse("verify", "shipped", "--policy", "policy.json", "--base", "other", "--patch", "p.wpatch")
      try scratch.fail(
        "apply", "other", "p.wpatch", "--force", "-o", "again", "--policy", "policy.json", exitCode: 5,
        message:
          "errata apply: p.wpatch: is not for other as it is, and policy.json takes a patch only on what it was "
          + "made for, forced or not")
      // And on its own base all is well.
      try scratch.succeed("apply", "samples/model", "p.wpatch", "--force", "-o", "good", "--policy", "policy.json")
      try scratch.succeed("verify", "good", "--policy", "policy.json", "--base", "samples/model")
    }

    @Test func whatIsMadeAnewIsNotSigned() throws {
      try scratch.write(scratch.bytes("samples/five-facts.wpatch"), to: "five.wpatch")
      try scratch.succeed("sign", "five.wpatch", "--key", "k")
      let ending = "is new and not signed, and policy.json asks for a signature by "
      for command in [
        ["drop", "five.wpatch", "--fact", "Seattle"], ["resolve", "five.wpatch", "--lambda", "2"],
        ["stack", "p.wpatch", "five.wpatch"], ["compact", "five.wpatch", "--factors", "i8"],
      ] {
        let output = "\(command[0]).wpatch"
        let made = try scratch.succeed(command + ["-o", output], environment: Self.policy)
        #expect(made.errors.contains("note: \(output): \(ending)") && made.errors.contains("'errata sign \(output) "))
        #expect(try !scratch.succeed(command + ["-o", output, "--force"]).errors.contains("not signed"))
        _ = try refuse("verify", output, "--policy", "policy.json")
      }
      let packed = try scratch.succeed(
        ["compact", "five.wpatch", "--compression-level", "3", "-o", "packed.wpatch"], environment: Self.policy)
      #expect(packed.errors == "")
      try scratch.succeed("verify", "packed.wpatch", "--policy", "policy.json")

      try scratch.succeed("apply", "samples/model", "five.wpatch", "-o", "edited", "--quiet", environment: Self.policy)
      let part = try scratch.succeed("revert", "edited", "--fact", "Seattle", "-o", "four", environment: Self.policy)
      #expect(part.errors.hasPrefix("note: four: patch ") && part.errors.contains(ending))
      _ = try refuse("verify", "four", "--policy", "policy.json")
      try scratch.succeed("sign", "four", "--key", "k")
      try scratch.succeed("verify", "four", "--policy", "policy.json")
    }

    @Test func aCheckpointIsSigned() throws {
      try scratch.succeed("apply", "samples/model", Self.eiffel, "samples/five-facts.wpatch", "-o", "edited", "--quiet")
      let weights = try scratch.bytes("edited/model.safetensors")
      _ = try refuse("verify", "edited", "--policy", "policy.json")
      let copied = try scratch.succeed("sign", "edited", "--key", "k", "-o", "copy")
      #expect(copied.output.hasSuffix("\ncopy: written, with these signatures in its ledger\n"))
      _ = try refuse("verify", "edited", "--policy", "policy.json")
      let signed = try scratch.succeed("sign", "edited", "--key", "k", "--json").json
      #expect(signed["patches"]?.arrayValue?.map { $0["signed"] } == [true, true])
      for checkpoint in ["edited", "copy"] {
        try scratch.succeed("verify", checkpoint, "--policy", "policy.json", "--base", "samples/model")
        #expect(try scratch.bytes("\(checkpoint)/model.safetensors") == weights)
      }
      let again = try scratch.succeed("sign", "edited", "--key", "k").output
      #expect(again.hasSuffix("\nedited: nothing written\n") && again.contains("already signed with key"))
      try scratch.succeed("sign", "edited", "--remove-all")
      _ = try refuse("verify", "edited", "--policy", "policy.json")
      try scratch.succeed("revert", "edited", "--all", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
      try scratch.fail(
        "sign", "samples/model", "--key", "k", exitCode: 1,
        message:
          "errata sign: samples/model: has no ledger, so no patch is recorded that could be signed; sign the patch "
          + "file, and apply it")
    }

    @Test func aSignedCheckpointFollowsLinksWhenAsked() throws {
      try scratch.succeed("apply", "samples/model", Self.eiffel, "-o", "edited", "--quiet")
      try scratch.write("PRIVATE", to: "secret")
      let secret = URL(fileURLWithPath: scratch("secret")).resolvingSymlinksInPath().path
      try FileManager.default.createSymbolicLink(atPath: scratch("edited/README.md"), withDestinationPath: secret)
      try scratch.fail(
        "sign", "edited", "--key", "k", "-o", "copy", exitCode: 6,
        message: "errata sign: edited/README.md: is a link to \(secret), outside of the checkpoint; --follow-links "
          + "copies what is there, or remove the link")
      try scratch.succeed("sign", "edited", "--key", "k", "-o", "copy", "--follow-links")
      #expect(try scratch.bytes("copy/README.md") == Array("PRIVATE".utf8))
      try scratch.fail(
        "sign", "edited", "--key", "k", "--follow-links", exitCode: 2,
        message: "errata sign: --follow-links goes with --output only (see 'errata sign --help')")
      try scratch.fail(
        "sign", Self.eiffel, "--key", "k", "--follow-links", "-o", "x.wpatch", exitCode: 2,
        message: "errata sign: --follow-links goes with a checkpoint, and \(Self.eiffel) is none "
          + "(see 'errata sign --help')")
    }

    @Test func aSignedCopyBringsItsSignaturesIntoTheLedger() throws {
      try scratch.succeed("keygen", "-o", "l")
      try scratch.succeed("sign", Self.eiffel, "--key", "l", "-o", "q.wpatch")
      try scratch.succeed("apply", "samples/model", Self.eiffel, "-o", "edited", "--quiet")
      let weights = try scratch.bytes("edited/model.safetensors")
      let before = try scratch.bytes("edited/.errata/ledger.json")
      let applied = try scratch.succeed("apply", "edited", "p.wpatch", "--in-place", "--policy", "policy.json")
      #expect(
        applied.output == "already applied: p.wpatch (9212b2e27263); its new signatures came into the ledger\n"
          + "edited: 0 tensors written, undo records \(try undo(applied.output))")
      try scratch.succeed("verify", "edited", "--policy", "policy.json")
      // Another's copy adds to those that are there, into a copy too.
      try scratch.succeed("apply", "edited", "q.wpatch", "-o", "both", "--quiet")
      try scratch.succeed("verify", "both", "--key", "k.pub", "--key", "l.pub")
      #expect(
        try scratch.succeed("apply", "both", "p.wpatch", "q.wpatch", "--in-place").output
          .hasSuffix("nothing written\n"))
      for checkpoint in ["edited", "both"] {
        #expect(try scratch.bytes("\(checkpoint)/model.safetensors") == weights)
        #expect(try scratch.bytes("\(checkpoint)/.errata/ledger.json") == before)
      }
      try scratch.succeed("revert", "both", "--in-place", "--quiet")
      try scratch.expectSampleModel("both")
    }

    private func undo(_ output: String) throws -> String {
      String(try #require(output.split(separator: "undo records ").last))
    }

    @Test func severalPatchesAreSigned() throws {
      try scratch.succeed("sign", Self.eiffel, "--key", "k", "-o", "copy.wpatch")
      try scratch.write(scratch.bytes("samples/five-facts.wpatch"), to: "five.wpatch")
      let result = try scratch.succeed("sign", "copy.wpatch", "five.wpatch", "--key", "k").output
      #expect(result.hasPrefix("copy.wpatch: already signed with key ") && result.contains("\nfive.wpatch: patch "))
      try scratch.succeed("verify", "copy.wpatch", "five.wpatch", "--policy", "policy.json")
      // Nothing to do, and yet an output.
      let copied = try scratch.succeed("sign", "copy.wpatch", "--key", "k", "-o", "same.wpatch").output
      #expect(copied.hasSuffix(", copied to same.wpatch\n"))
      #expect(try scratch.bytes("same.wpatch") == scratch.bytes("copy.wpatch"))
      let bare = try scratch.succeed("sign", Self.eiffel, "--remove-all", "-o", "bare.wpatch").output
      #expect(bare == "\(Self.eiffel): has no signature, copied to bare.wpatch\n")
      #expect(try scratch.bytes("bare.wpatch") == scratch.bytes(Self.eiffel))
      try scratch.fail(
        "sign", "copy.wpatch", "five.wpatch", "--key", "k", "-o", "x", exitCode: 2,
        message: "errata sign: --output goes with one patch or checkpoint (see 'errata sign --help')")
    }
  }
}
