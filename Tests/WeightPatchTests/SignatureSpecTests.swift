import Foundation
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

/// Spec/signatures.md says nothing about its example that is not so.
@Suite struct SignatureSpecTests {
  private static let key = PrivateKey(seed: hexadecimal(Ed25519VectorTests.rfc8032[0].seed))
  private static let signedPath = SpecExample.folder + "/signed.wpatch"

  private func contents(_ path: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: path))) }

  private func page() throws -> SpecPage { try SpecPage("signatures.md") }
  private func block(_ what: String) throws -> String { try page().block(what) }

  private func envelope() throws -> SignatureEnvelope {
    try SignatureEnvelope(parsing: PatchReader(path: Self.signedPath).signatures[0])
  }

  /// The signed example was made by other programs (OpenSSL and a script): this one makes the same file.
  @Test func theExampleIsWhatThisVersionWrites() throws {
    let directory = try TemporaryDirectory()
    var signing = try PatchSigning(path: SpecExample.patchPath)
    let isNew = try signing.sign(
      with: Self.key,
      SignatureStatement(
        of: signing.file, name: "signed.wpatch", created: "2026-02-01T12:00:00Z",
        tool: Manifest.Tool(name: "errata", version: "0.1.0"), note: "both answers checked"))
    #expect(isNew)
    try signing.write(to: directory("signed.wpatch"))
    #expect(try directory.read("signed.wpatch") == contents(Self.signedPath))
    let unsigned = try PatchFile(path: SpecExample.patchPath)
    #expect(try PatchFile(path: Self.signedPath).identifier == unsigned.identifier)
    #expect(try String(contentsOfFile: SpecExample.folder + "/signer.pub", encoding: .utf8) == Self.key.publicKey.pem)
  }

  @Test func theExampleMeetsItsPolicy() throws {
    let policy = try TrustPolicy(path: SpecExample.folder + "/policy.json")
    let report = SignatureReport(of: try PatchFile(path: Self.signedPath), policy: policy)
    #expect(report.holds)
    #expect(report.signers.map(\.name) == ["Example"])
    #expect(!SignatureReport(of: try PatchFile(path: SpecExample.patchPath), policy: policy).holds)
    #expect(try JSON.parse(Array(block("policy").utf8)) == JSON.parse(contents(SpecExample.folder + "/policy.json")))
  }

  @Test func blocksAreTheBytes() throws {
    let envelope = try envelope()
    let shown = try block("statement")
    #expect(try JSON.parse(Array(shown.utf8)) == JSON.parse(envelope.payload))
    #expect(try JSON.parse(Array(shown.utf8)).serialized() == envelope.payload)
    #expect(try block("public key") + "\n" == Self.key.publicKey.pem)
    #expect(try block("key ID") == Self.key.publicKey.identifier.description)
    let start = String(decoding: envelope.signedBytes.prefix(64), as: UTF8.self)
    #expect(try block("beginning of the signed bytes") == start)
    #expect(try block("signature") == base64(envelope.signatures[0].bytes))
    try page().expectDumps("bytes of signed.wpatch", of: contents(Self.signedPath))
  }

  @Test func tablesNameEveryField() throws {
    let text = try page().text
    let envelope = try envelope()
    for json in [try JSON.parse(envelope.serialized()), try JSON.parse(envelope.payload)] {
      for field in ManifestTests.fieldNames(json) { #expect(text.contains("`\(field)`"), "\(field)") }
    }
    for field in ["version", "threshold", "keys", "file", "key", "name"] {
      #expect(text.contains("| `\(field)` |"), "\(field)")
    }
  }

  /// The table of limits says what the code refuses.
  @Test func limitsAreTheLimits() throws {
    let directory = try TemporaryDirectory()
    let text = try page().text
    let limits = PatchLimits()
    #expect(text.contains("| signature frames of a patch | \(limits.signatureCount) |"))
    #expect(limits.signatureByteCount == 65_536 && text.contains("| payload of a signature frame | 65,536 bytes |"))
    #expect(text.contains("| signatures of an envelope | 1 to \(SignatureEnvelope.signatureLimit) |"))
    #expect(text.contains("| file with a key | 65,536 bytes |") && text.contains("| policy | 1,048,576 bytes |"))

    // A comment may stand before a key, and white space in a policy.
    let pem = Array(Self.key.publicKey.pem.utf8)
    try AtomicFile.write(Array(repeating: 0x0A, count: 65_536 - pem.count) + pem, to: directory("key.pub"))
    #expect(try KeyFile.publicKey(path: directory("key.pub")) == Self.key.publicKey)
    try AtomicFile.write(Array(repeating: 0x0A, count: 65_537 - pem.count) + pem, to: directory("key.pub"))
    #expect(throws: ErrataError(.damagedInput, "\(directory("key.pub")): is not a key in PEM form")) {
      _ = try KeyFile.publicKey(path: directory("key.pub"))
    }
    let policy = try contents(SpecExample.folder + "/policy.json")
    try AtomicFile.write(Array(Self.key.publicKey.pem.utf8), to: directory("signer.pub"))
    try AtomicFile.write(policy + Array(repeating: 0x0A, count: 1_048_576 - policy.count), to: directory("policy.json"))
    #expect(try TrustPolicy(path: directory("policy.json")).keys.count == 2)
    try AtomicFile.write(policy + Array(repeating: 0x0A, count: 1_048_577 - policy.count), to: directory("policy.json"))
    #expect(throws: ErrataError(.damagedInput, "\(directory("policy.json")): bad policy: it is too large")) {
      _ = try TrustPolicy(path: directory("policy.json"))
    }

    func envelope(_ count: Int) -> [UInt8] {
      let one = #"{"keyid":"","sig":""}"#
      return Array(#"{"signatures":[\#(Array(repeating: one, count: count).joined(separator: ","))]}"#.utf8)
    }
    #expect(try SignatureEnvelope(parsing: envelope(16)).signatures.count == 16)
    #expect(throws: SignatureError.self) { _ = try SignatureEnvelope(parsing: envelope(17)) }
  }
}
