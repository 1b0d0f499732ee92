import Foundation
import Tensors
import Testing

@testable import WeightPatch

extension ToolTests {
  /// Keys, signatures and policies, from the command line.
  @Suite struct Signing {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let patch = "samples/eiffel-tower.wpatch"
    /// In the sample model, besides its weights.
    private static let files = 4
    private static let identifier = "9212b2e27263"

    /// Makes a key pair and gives its ID.
    private func keygen(_ name: String) throws -> String {
      let made = try scratch.succeed("keygen", "-o", name, "--json").json
      #expect(made["private_key"]?.stringValue == name && made["public_key"]?.stringValue == name + ".pub")
      return try #require(made["key"]?.stringValue)
    }

    /// A key is there whole or not at all, and nothing else is.
    @Test func killedKeygenLeavesNothingElse() throws {
      let rehearsal = try Scratch()
      try rehearsal.makeFolder("w")
      let points = try FaultInjector.measure(["keygen", "-o", "w/key"], in: rehearsal, under: "w").points
      #expect(points.contains { $0.call == "link" })
      try FaultInjector.forEach(points) { point in
        let scratch = try Scratch()
        try scratch.makeFolder("w")
        let result = try FaultInjector.run(
          ["keygen", "-o", "w/key"], .kill(isWithin: point.isDivisible), at: point.number, in: scratch, under: "w")
        #expect(result.exitCode == FaultInjector.killed, "\(point)")
        let names = try scratch.names(in: "w")
        #expect(Set(names).isSubset(of: ["key", "key.pub"]), "\(point): \(names)")
        for name in names {
          #expect(try scratch.bytes("w/" + name).suffix(4).elementsEqual("---\n".utf8), "\(point)")
        }
      }
    }

    private func sign(with key: String, _ name: String = "fix.wpatch") throws {
      try scratch.write(scratch.bytes(Self.patch), to: name)
      try scratch.succeed("sign", name, "--key", key, environment: ["SOURCE_DATE_EPOCH": "1770000000"])
    }

    /// Runs a command that reports, and then refuses.
    private func refuse(
      _ arguments: String..., environment: [String: String] = [:], at location: SourceLocation = #_sourceLocation
    ) throws -> ToolResult {
      try refuse(arguments, environment: environment, at: location)
    }

    private func refuse(
      _ arguments: [String], environment: [String: String] = [:], at location: SourceLocation = #_sourceLocation
    ) throws -> ToolResult {
      let result = try Tool.errata(arguments, in: scratch.path, environment: environment)
      #expect(result.exitCode == 5, sourceLocation: location)
      #expect(result.errors.filter(\.isNewline).count == 1, sourceLocation: location)
      return result
    }

    @Test func signsAndVerifies() throws {
      let key = try keygen("release")
      let short = String(key.prefix(12))
      try sign(with: "release")
      let shown = try scratch.succeed("show", "fix.wpatch").output
      #expect(shown.contains("\nsignature   key \(short), 2026-02-02T02:40:00Z: not checked\n"))
      let verified = try scratch.succeed("verify", "fix.wpatch", "--key", "release.pub")
      #expect(verified.output.hasSuffix("\nsignature 1: key \(short) (release.pub), 2026-02-02T02:40:00Z: holds\n"))
      let json = try scratch.succeed("verify", "fix.wpatch", "--key", "release.pub", "--json").json
      #expect(json["verified"] == true)
      #expect(json["signers"] == [JSON(key)])
      #expect(try scratch.succeed("verify", "fix.wpatch").output.hasSuffix(": not checked\n"))

      let again = try scratch.succeed("sign", "fix.wpatch", "--key", "release")
      #expect(again.output == "fix.wpatch: already signed with key \(short), nothing written\n")
      let copy = try scratch.succeed(
        "sign", Self.patch, "--key", "release", "-o", "copy.wpatch", "--note", "for \u{1B}[1m you")
      #expect(
        copy.output == "copy.wpatch: patch \(Self.identifier), 1 fact in 1 tensor, signed with key \(short)\n")
      #expect(try scratch.succeed("show", "copy.wpatch").output.contains(#""for \u{1b}[1m you""#))
      #expect(
        try scratch.succeed("sign", "copy.wpatch", "--remove", short).output
          == "copy.wpatch: 1 signature taken off, none left\n")
      #expect(try scratch.bytes("copy.wpatch") == scratch.bytes(Self.patch))
      #expect(
        try scratch.succeed("sign", "copy.wpatch", "--remove-all").output
          == "copy.wpatch: has no signature, nothing written\n")
    }

    @Test func refusesWithTheRightExitCode() throws {
      let key = String(try keygen("release").prefix(12))
      let other = String(try keygen("other").prefix(12))
      try sign(with: "release")
      let ending = "--key asks for a signature by \(other) (other.pub)\n"
      #expect(
        try refuse("verify", Self.patch, "--key", "other.pub").errors
          == "errata verify: \(Self.patch): is not signed; " + ending)
      let wrong = try refuse("verify", "fix.wpatch", "--key", "other.pub")
      #expect(wrong.errors == "errata verify: fix.wpatch: is not signed by a trusted key; " + ending)
      #expect(wrong.output.hasSuffix("signature 1: key \(key), 2026-02-02T02:40:00Z: not checked\n"))
      let json = try refuse("verify", "fix.wpatch", "--key", "other.pub", "--json")
      #expect(try json.json["verified"] == false)
      _ = try refuse("verify", "fix.wpatch", "--key", "release.pub", "--key", "other.pub")

      try scratch.fail(
        "verify", "fix.wpatch", "--key", "release", exitCode: 6,
        message: "errata verify: release: is a private key; a public key is needed")
      try scratch.fail(
        "sign", "fix.wpatch", "--key", "release.pub", exitCode: 6,
        message: "errata sign: release.pub: is a public key; a private key is needed")
      try scratch.fail(
        "sign", "fix.wpatch", "--remove", "0123456789", exitCode: 1,
        message: "errata sign: fix.wpatch: no signature names a key 0123456789; "
          + "'errata show' lists those that there are")
      try scratch.fail(
        "keygen", "-o", "release", exitCode: 1,
        message: "errata keygen: release: exists already; a key is never overwritten: name another file")
      try scratch.fail(
        "sign", "fix.wpatch", exitCode: 2,
        message: "errata sign: give one of --key, --remove and --remove-all (see 'errata sign --help')")
      try scratch.fail(
        "verify", "fix.wpatch", "--key", "release.pub", "--policy", "p", exitCode: 2,
        message: "errata verify: --key and --policy exclude each other (see 'errata verify --help')")
    }

    @Test func aPolicyGuardsApply() throws {
      let key = String(try keygen("release").prefix(12))
      try sign(with: "release")
      try FileManager.default.createDirectory(atPath: scratch("trust"), withIntermediateDirectories: true)
      try scratch.write(scratch.bytes("release.pub"), to: "trust/release.pub")
      try scratch.write(
        #"{"version": 1, "keys": [{"name": "Release", "file": "release.pub"}]}"#, to: "trust/policy.json")
      let unsigned =
        "errata apply: \(Self.patch): is not signed; trust/policy.json asks for a signature by \(key) (Release)"
      try scratch.fail(
        "apply", "samples/model", Self.patch, "-o", "edited", "--policy", "trust/policy.json", exitCode: 5,
        message: unsigned)
      try scratch.fail(
        "apply", "samples/model", "fix.wpatch", Self.patch, "-o", "edited", "--force", "--policy", "trust/policy.json",
        exitCode: 5, message: unsigned)
      let environment = ["ERRATA_POLICY": "trust/policy.json"]
      let refused = try refuse("apply", "samples/model", Self.patch, "-o", "edited", environment: environment)
      #expect(refused.errors == unsigned + "\n" && !scratch.exists("edited"))
      _ = try refuse("verify", Self.patch, environment: environment)
      // What cannot be read is not taken for "nothing is asked".
      try scratch.fail(
        "apply", "samples/model", "fix.wpatch", "-o", "edited", "--policy", "nowhere", exitCode: 1,
        message: "errata apply: nowhere: cannot open: no such file or directory")

      try scratch.succeed("apply", "samples/model", "fix.wpatch", "-o", "edited", "--quiet", environment: environment)
      let verified = try scratch.succeed("verify", "edited", "--policy", "trust/policy.json")
      #expect(
        verified.output
          == "edited: 1 edited tensor is its recorded base plus 1 patch, bit for bit; 55 other tensors and "
          + "\(Self.files) "
          + "files beside the weights were not compared (--base)\n\(Self.identifier) (fix.wpatch): signature 1: "
          + "key \(key) (Release), 2026-02-02T02:40:00Z: holds\n")
      #expect(try scratch.succeed("show", "edited").output.contains("\(Self.identifier): signature 1: key \(key), "))
      // A patch that came without the policy.
      try scratch.succeed("apply", "edited", "samples/five-facts.wpatch", "-o", "both", "--quiet")
      try scratch.succeed("verify", "both", "--quiet")
      let failed = try refuse("verify", "both", "--policy", "trust/policy.json", "--quiet")
      #expect(failed.output.contains(" (five-facts.wpatch): not signed\n"))
      let json = try refuse("verify", "both", "--policy", "trust/policy.json", "--json")
      #expect(try json.json["verified"] == false)
      #expect(try json.json["patches"]?.arrayValue?.map { $0["signatures_hold"] } == [true, false])
      try scratch.succeed("revert", "both", "--all", "-o", "restored", "--quiet")
      try scratch.expectSampleModel("restored")
    }

    /// Who takes the ledger away does not make the weights anybody's.
    @Test func aCheckpointWithoutALedgerIsNotSigned() throws {
      _ = try keygen("release")
      try scratch.write(#"{"version": 1, "keys": [{"file": "release.pub"}]}"#, to: "policy.json")
      for option in [["--key", "release.pub"], ["--policy", "policy.json"]] {
        let refused = try refuse(["verify", "samples/model", "--json"] + option)
        #expect(try refused.json["verified"] == false)
        #expect(
          refused.errors
            == "errata verify: samples/model: has no ledger, so no signature says what its weights should be; "
            + "compare them with --base\n")
        let compared = try scratch.succeed(["verify", "samples/model", "--base", "samples/model", "--json"] + option)
        #expect(try compared.json["verified"] == true)
      }
      #expect(try scratch.succeed("verify", "samples/model", "--json").json["verified"] == .null)
    }

    /// Where nothing is asked for and nothing is there, nothing is said to hold.
    @Test func anUnsignedPatchHasNoSignatureThatHolds() throws {
      let answer = try scratch.succeed("verify", Self.patch, "--json").json
      #expect(answer["verified"] == true && answer["signatures_hold"] == .null)
    }

    @Test func applyRefusesASignatureThatFails() throws {
      _ = try keygen("release")
      try sign(with: "release")
      let frame = try PatchFile(path: scratch("fix.wpatch")).signatures[0]
      let other = try PatchFile(path: Samples.folder + "/five-facts.wpatch")
      try other.reader.write(signatures: [frame], to: scratch("forged.wpatch"))
      for options in [[], ["--force"], ["--dry-run"]] {
        let refused = try refuse(["apply", "samples/model", "forged.wpatch", "-o", "edited", "--quiet"] + options)
        #expect(
          refused.errors.hasPrefix("errata apply: forged.wpatch: signature 1 does not hold: it is for another patch, "))
        #expect(refused.output == "" && !scratch.exists("edited"))
      }
    }

    // MARK: OpenSSL as a witness

    private static let opensslPath = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .map { "\($0)/openssl" }.first { FileManager.default.isExecutableFile(atPath: $0) }

    private func openssl(_ arguments: String...) throws -> ToolResult {
      try Tool.run(Self.opensslPath!, arguments, in: scratch.path)
    }

    @Test(.enabled(if: opensslPath != nil, "there is no openssl command")) func agreesWithOpenSSL() throws {
      _ = try keygen("ours")
      try sign(with: "ours")
      // The envelope is the payload of the only skippable frame before the seal.
      let bytes = try scratch.bytes("fix.wpatch")
      let start = try scratch.bytes(Self.patch).count - 40 + 8
      let envelope = try JSON.parse(Array(bytes[start..<bytes.count - 40]))
      let type = try #require(envelope["payloadType"]?.stringValue)
      let payload = try #require(Data(base64Encoded: envelope["payload"]?.stringValue ?? ""))
      let encoded = envelope["signatures"]?.arrayValue?[0]["sig"]?.stringValue
      let signature = try #require(Data(base64Encoded: encoded ?? ""))
      try scratch.write(Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload, to: "signed")
      try scratch.write(signature, to: "signature")
      let check = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "ours.pub", "-in", "signed", "-sigfile"]
      func verify(_ file: String) throws -> Int32 {
        try Tool.run(Self.opensslPath!, check + [file], in: scratch.path).exitCode
      }
      #expect(try verify("signature") == 0)
      try scratch.write(signature.dropLast() + [signature.last! ^ 1], to: "changed")
      #expect(try verify("changed") != 0)
      #expect(try openssl("pkey", "-in", "ours", "-pubout", "-out", "again.pub").exitCode == 0)
      #expect(try scratch.bytes("again.pub") == scratch.bytes("ours.pub"))

      // Its keys sign here, and its key ID is ours.
      #expect(try openssl("genpkey", "-algorithm", "ed25519", "-out", "theirs").exitCode == 0)
      #expect(try openssl("pkey", "-in", "theirs", "-pubout", "-out", "theirs.pub").exitCode == 0)
      #expect(
        try openssl("pkey", "-pubin", "-in", "theirs.pub", "-outform", "DER", "-out", "theirs.der").exitCode == 0)
      try sign(with: "theirs", "other.wpatch")
      let verified = try scratch.succeed("verify", "other.wpatch", "--key", "theirs.pub", "--json").json
      #expect(
        verified["signers"] == [JSON(Digest(of: try scratch.bytes("theirs.der")).description)])
    }
  }
}
