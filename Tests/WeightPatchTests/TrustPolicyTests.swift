import Foundation
import Tensors
import TestSupport
import Testing

@testable import WeightPatch

/// Policies and key files.
@Suite struct TrustPolicyTests {
  let directory: TemporaryDirectory
  let key = PrivateKey(seed: [UInt8](repeating: 1, count: 32))
  let other = PrivateKey(seed: [UInt8](repeating: 2, count: 32))

  init() throws {
    directory = try TemporaryDirectory()
    try directory.write(key.publicKey.pem, to: "a.pub")
    try directory.write(key.pem, to: "a")
  }

  /// The ID of `key`.
  private static let identifier = PrivateKey(seed: [UInt8](repeating: 1, count: 32)).publicKey.identifier

  private func policy(_ text: String) throws -> TrustPolicy {
    try directory.write(text, to: "policy.json")
    return try TrustPolicy(path: directory("policy.json"))
  }

  @Test func readsKeysInEveryForm() throws {
    let inline = base64(other.publicKey.encoded)
    let read = try policy(#"{"version": 1, "keys": [{"file": "a.pub"}, {"name": "Bob", "key": "\#(inline)"}]}"#)
    #expect(read.threshold == 1)
    #expect(read.keys.map(\.key) == [key.publicKey, other.publicKey])
    #expect(read.keys.map(\.name) == ["a.pub", "Bob"])
    #expect(read.source == directory("policy.json"))
    let pem = other.publicKey.pem.replacing("\n", with: "\\n")
    let again = try policy(
      #"{"version": 1, "threshold": 2, "keys": [{"key": "\#(pem)"}, {"name": "A", "file": "\#(directory("a.pub"))"}]}"#)
    #expect(again.threshold == 2)
    #expect(again.keys.map(\.key) == [other.publicKey, key.publicKey])
    #expect(again.keys.map(\.name) == [nil, "A"])
  }

  @Test func readsDatesAndRevokedKeys() throws {
    let revoked = other.publicKey.identifier
    let read = try policy(
      #"{"version": 1, "keys": [{"file": "a.pub", "expires": "2027-01-01"}], "revoked": ["\#(revoked)"], "#
        + #""minimum_patch_date": "2026-01-31T12:00:00Z"}"#)
    #expect(read.keys[0].expires == UTCInstant("2027-01-01T00:00:00Z") && read.revoked == [revoked])
    #expect(read.minimumPatchDate?.description == "2026-01-31T12:00:00Z")
    let mine = read.keys[0]
    let theirs = TrustedKey(name: nil, key: other.publicKey)
    #expect(read.objection(to: mine, created: "2026-12-31T23:59:59Z") == nil)
    #expect(read.objection(to: mine, created: "2027-01-01T00:00:00Z") == "its key expired on 2027-01-01T00:00:00Z")
    #expect(read.objection(to: mine, created: "today") == "it does not say when it was made, and its key expires")
    #expect(read.objection(to: theirs, created: "2026-01-01T00:00:00Z") == "its key is revoked")
    for text in ["2026-1-31", "2026-01-31T12:00:00", "2026-13-31", "2026-01-31T24:00:00Z", "", "0"] {
      #expect(UTCInstant(text) == nil, "\(text)")
    }
  }

  @Test(arguments: [
    (
      #"{"version": 1, "keys": [{"file": "a.pub", "expires": "soon"}]}"#,
      "keys[0].expires is not a date such as 2026-01-31, or 2026-01-31T12:00:00Z"
    ),
    (
      #"{"version": 1, "keys": [{"file": "a.pub"}], "minimum_patch_date": 2026}"#,
      "minimum_patch_date is not a date such as 2026-01-31, or 2026-01-31T12:00:00Z"
    ),
    (
      #"{"version": 1, "keys": [{"file": "a.pub"}], "revoked": ["a"]}"#,
      "revoked is not an array of key IDs (64 hexadecimal digits)"
    ),
    (
      #"{"version": 1, "keys": [{"file": "a.pub"}], "revoked": ["\#(Self.identifier)"]}"#, "all of its keys are revoked"
    ),
    ("", "not valid JSON at byte 0: the text ends where a value is expected"), ("[]", "it is not a JSON object"),
    (#"{"keys": [{"file": "a.pub"}]}"#, "its version is not 1"),
    (#"{"version": 2, "keys": [{"file": "a.pub"}]}"#, "its version is not 1"),
    (#"{"version": 1}"#, "keys is not an array with at least one key"),
    (#"{"version": 1, "keys": []}"#, "keys is not an array with at least one key"),
    (#"{"version": 1, "keys": ["a.pub"]}"#, "keys[0] is not an object"),
    (#"{"version": 1, "keys": [{}]}"#, "keys[0] needs either file or key"),
    (#"{"version": 1, "keys": [{"file": "a.pub", "key": ""}]}"#, "keys[0] needs either file or key"),
    (#"{"version": 1, "keys": [{"file": 1}]}"#, "keys[0].file is not a string"),
    (#"{"version": 1, "keys": [{"key": "?"}]}"#, "keys[0].key is neither PEM nor base64"),
    (#"{"version": 1, "keys": [{"key": "AAAA"}]}"#, "keys[0].key is not an Ed25519 public key"),
    (#"{"version": 1, "keys": [{"file": "a.pub", "nmae": "A"}]}"#, "keys[0].nmae is not a field of a policy"),
    (#"{"version": 1, "treshold": 2, "keys": [{"file": "a.pub"}]}"#, "treshold is not a field of a policy"),
    (#"{"version": 1, "keys": [{"file": "a.pub"}, {"file": "a.pub"}]}"#, "keys[1] is the same key as keys[0]"),
    (
      #"{"version": 1, "threshold": 0, "keys": [{"file": "a.pub"}]}"#,
      "threshold is not an integer from 1 to the number of keys, 1"
    ),
    (
      #"{"version": 1, "threshold": 2, "keys": [{"file": "a.pub"}]}"#,
      "threshold is not an integer from 1 to the number of keys, 1"
    ),
    (
      #"{"version": 1, "threshold": "1", "keys": [{"file": "a.pub"}]}"#,
      "threshold is not an integer from 1 to the number of keys, 1"
    ),
  ])
  func refusesWhatItDoesNotUnderstand(text: String, problem: String) {
    let path = directory("policy.json")
    #expect(throws: ErrataError(.damagedInput, "\(path): bad policy: \(problem)")) { try policy(text) }
  }

  @Test func namesAMissingKeyFile() {
    #expect(
      throws: ErrataError(.general, "\(directory("b.pub")): cannot open: no such file or directory")
    ) { try policy(#"{"version": 1, "keys": [{"file": "b.pub"}]}"#) }
  }

  // MARK: Key files

  @Test func saysWhatAKeyFileIs() throws {
    try directory.write("hello", to: "text")
    try directory.write(key.publicKey.pem + key.publicKey.pem, to: "two")
    try directory.write(key.publicKey.pem.replacing("-----END", with: ""), to: "cut")
    try directory.write(PEM(label: "ENCRYPTED PRIVATE KEY", content: [1]).text, to: "locked")
    try directory.write(PEM(label: "OPENSSH PRIVATE KEY", content: [1]).text, to: "ssh")
    try directory.write(PEM(label: "PUBLIC KEY", content: Array(repeating: 3, count: 44)).text, to: "rsa")
    try directory.write(PEM(label: "PRIVATE KEY", content: Array(repeating: 3, count: 48)).text, to: "ec")
    let neutral = [1] + [UInt8](repeating: 0, count: 31)
    try directory.write(
      PEM(label: "PUBLIC KEY", content: key.publicKey.encoded.dropLast(32) + neutral).text, to: "neutral")
    func expect(_ name: String, _ reason: String, _ read: (String) throws -> Any) {
      #expect(throws: ErrataError(.damagedInput, "\(directory(name)): \(reason)")) { _ = try read(directory(name)) }
    }
    expect("text", "is not a key in PEM form", KeyFile.publicKey)
    expect("two", "holds more than one key", KeyFile.publicKey)
    expect("cut", "is damaged: its PEM block is not whole", KeyFile.publicKey)
    expect("a", "is a private key; a public key is needed", KeyFile.publicKey)
    expect("a.pub", "is a public key; a private key is needed", KeyFile.privateKey)
    expect(
      "locked", "is under a passphrase, which 'openssl pkey -in KEY -out NEW' takes off", KeyFile.privateKey)
    expect(
      "ssh", "is of a kind that is not read (OPENSSH PRIVATE KEY); 'errata keygen' makes one that is",
      KeyFile.privateKey)
    expect("rsa", "is not an Ed25519 public key", KeyFile.publicKey)
    expect("ec", "is not an Ed25519 private key", KeyFile.privateKey)
    expect(
      "neutral", "is an Ed25519 key that proves nothing (of small order, or not canonical)", KeyFile.publicKey)
  }

  @Test func writesAPairThatOnlyItsOwnerCanUse() throws {
    #expect(try KeyFile.write(key, to: directory("new")) == directory("new.pub"))
    #expect(try KeyFile.privateKey(path: directory("new")).seed == key.seed)
    #expect(try KeyFile.publicKey(path: directory("new.pub")) == key.publicKey)
    let mode = try FileManager.default.attributesOfItem(atPath: directory("new"))[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(!KeyFile.isOpenToOthers(path: directory("new")))
    #expect(KeyFile.isOpenToOthers(path: directory("new.pub")))
    let names = try directory.names
    for path in [directory("new"), directory("a")] {
      #expect(
        throws: ErrataError(.general, "\(path): exists already; a key is never overwritten: name another file")
      ) { try KeyFile.write(other, to: path) }
    }
    // Where only the public key stands in the way, no private key is left behind.
    try FileManager.default.removeItem(atPath: directory("new"))
    #expect(throws: ErrataError.self) { try KeyFile.write(other, to: directory("new")) }
    #expect(try directory.names == names.filter { $0 != "new" })
    #expect(try KeyFile.publicKey(path: directory("new.pub")) == key.publicKey)
  }
}
