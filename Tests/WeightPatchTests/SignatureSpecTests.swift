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

  /// The code block of the Spec under the comment `<!-- check: what -->`.
  private func block(_ what: String) throws -> String {
    let text = try String(contentsOfFile: SpecExample.packageRoot + "/Spec/signatures.md", encoding: .utf8)
    let rest = try #require(text.components(separatedBy: "<!-- check: \(what) -->\n").dropFirst().first, "\(what)")
    return rest.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
      .prefix { !$0.hasPrefix("```") }.joined(separator: "\n")
  }

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
    let file = try contents(Self.signedPath)
    for line in try block("bytes of signed.wpatch").split(separator: "\n") {
      let parts = line.components(separatedBy: ": ")
      let offset = try #require(Int(parts[0], radix: 16))
      let bytes = hexadecimal(parts[1].components(separatedBy: "  ")[0].split(separator: " ").joined())
      #expect(Array(file[offset..<offset + bytes.count]) == bytes, "\(line)")
    }
  }

  @Test func tablesNameEveryField() throws {
    let text = try String(contentsOfFile: SpecExample.packageRoot + "/Spec/signatures.md", encoding: .utf8)
    let envelope = try envelope()
    for json in [try JSON.parse(envelope.serialized()), try JSON.parse(envelope.payload)] {
      for field in ManifestTests.fieldNames(json) { #expect(text.contains("`\(field)`"), "\(field)") }
    }
    for field in ["version", "threshold", "keys", "file", "key", "name"] {
      #expect(text.contains("| `\(field)` |"), "\(field)")
    }
  }
}
