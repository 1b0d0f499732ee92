import Foundation
import Tensors
import TestSupport
import Testing

@testable import CheckpointLedger
@testable import WeightPatch

/// Signing patches and checking them.
@Suite struct SignatureTests {
  let directory: TemporaryDirectory
  let path: String
  let unsigned: [UInt8]
  let alice = PrivateKey(seed: [UInt8](repeating: 1, count: 32))
  let bob = PrivateKey(seed: [UInt8](repeating: 2, count: 32))

  init() throws {
    directory = try TemporaryDirectory()
    path = directory("x.wpatch")
    unsigned = try PatchFixture(factCounts: [2, 1]).bytes()
    try AtomicFile.write(unsigned, to: path)
  }

  private func statement(_ file: PatchFile, note: String? = nil) -> SignatureStatement {
    SignatureStatement(
      of: file, name: "x.wpatch", created: "2026-02-01T12:00:00Z",
      tool: Manifest.Tool(name: "tests", version: "0"), note: note)
  }

  @discardableResult
  private func sign(_ key: PrivateKey, note: String? = nil) throws -> Bool {
    var signing = try PatchSigning(path: path)
    let isNew = try signing.sign(with: key, statement(signing.file, note: note))
    if isNew { try signing.write(to: path) }
    return isNew
  }

  private func trust(_ keys: PrivateKey..., threshold: Int? = nil) throws -> TrustPolicy {
    let paths = try keys.enumerated().map { index, key in
      try directory.write(key.publicKey.pem, to: "\(index).pub")
      return directory("\(index).pub")
    }
    guard let threshold else { return try TrustPolicy(requiring: paths) }
    let entries = paths.map { "{\"file\": \"\($0)\"}" }.joined(separator: ", ")
    try directory.write(
      "{\"version\": 1, \"threshold\": \(threshold), \"keys\": [\(entries)]}", to: "policy.json")
    return try TrustPolicy(path: directory("policy.json"))
  }

  private func report(_ policy: TrustPolicy?) throws -> SignatureReport {
    SignatureReport(of: try PatchFile(path: path), policy: policy)
  }

  /// Replaces the signatures by frames with these payloads.
  private func carry(_ frames: [UInt8]...) throws {
    try PatchReader(path: path).write(signatures: frames, to: path)
  }

  /// The frame of a signature.
  private func frame(
    _ key: PrivateKey, type: ByteString = SignatureStatement.payloadType, payload: [UInt8], claims keyID: String? = nil
  ) throws -> [UInt8] {
    var envelope = SignatureEnvelope(payloadType: type, payload: payload, signatures: [])
    envelope.signatures = [
      .init(keyIdentifier: keyID, bytes: try key.signature(for: envelope.signedBytes))
    ]
    return envelope.serialized()
  }

  // MARK: What holds

  @Test func signsAndTakesOff() throws {
    let identifier = try PatchFile(path: path).identifier
    #expect(try sign(alice))
    #expect(try sign(bob, note: "seen"))
    #expect(!(try sign(alice, note: "again")))
    let file = try PatchFile(path: path)
    #expect(file.identifier == identifier)
    #expect(file.signatures.count == 2)
    let signatures = try report(try trust(alice, bob)).signatures
    #expect(signatures.map(\.status.isFailure) == [false, false])
    #expect(signatures[1].statement == statement(file, note: "seen"))
    #expect(
      signatures.map(\.description) == [
        "key \(alice.publicKey.identifier.abbreviated) (0.pub), 2026-02-01T12:00:00Z: holds",
        "key \(bob.publicKey.identifier.abbreviated) (1.pub), 2026-02-01T12:00:00Z, \"seen\": holds",
      ])
    var signing = try PatchSigning(path: path)
    #expect(signing.remove(keyIdentifier: "0123456789") == 0)
    #expect(signing.remove(keyIdentifier: alice.publicKey.identifier.description.uppercased()) == 1)
    try signing.write(to: directory("bob.wpatch"))
    #expect(try SignatureReport(of: PatchFile(path: directory("bob.wpatch")), policy: trust(bob)).holds)
    signing.removeAll()
    try signing.write(to: path)
    #expect(try directory.read("x.wpatch") == unsigned)
  }

  @Test func whatIsAskedForDecides() throws {
    #expect(try report(nil).holds)
    #expect(!(try report(try trust(alice)).holds))
    try sign(alice)
    #expect(try report(nil).signatures.map(\.status) == [.notChecked])
    #expect(try report(try trust(alice)).holds)
    #expect(!(try report(try trust(bob)).holds))
    #expect(!(try report(try trust(alice, bob)).holds))
    #expect(try report(try trust(alice, bob, threshold: 1)).holds)
    #expect(!(try report(try trust(alice, bob, threshold: 2)).holds))
    // The same key twice is one signer.
    let frame = try PatchFile(path: path).signatures[0]
    try carry(frame, frame)
    #expect(!(try report(try trust(alice, bob, threshold: 2)).holds))
    try carry(frame)
    try sign(bob)
    #expect(try report(try trust(alice, bob, threshold: 2)).holds)
    #expect(try report(try trust(alice, bob)).signers.map(\.key) == [alice.publicKey, bob.publicKey])
  }

  @Test func namesWhatIsMissing() throws {
    func message(_ policy: TrustPolicy) throws -> String? {
      let report = try report(policy)
      let error = #expect(throws: ErrataError.self) { try report.check() }
      #expect(error?.kind == .verification)
      return error?.message.replacing(directory.path + "/", with: "")
    }
    let (a, b) = (alice.publicKey.identifier.abbreviated, bob.publicKey.identifier.abbreviated)
    #expect(try message(try trust(alice)) == "x.wpatch: is not signed; --key asks for a signature by \(a) (0.pub)")
    #expect(
      try message(try trust(alice, bob, threshold: 1))
        == "x.wpatch: is not signed; policy.json asks for a signature by one of \(a) (0.pub), \(b) (1.pub)")
    try sign(alice)
    #expect(
      try message(try trust(bob))
        == "x.wpatch: is not signed by a trusted key; --key asks for a signature by \(b) (0.pub)")
    #expect(
      try message(try trust(alice, bob))
        == "x.wpatch: is signed by \(a) (0.pub) alone; --key asks for signatures by \(a) (0.pub), \(b) (1.pub)")
    let carol = PrivateKey(seed: [UInt8](repeating: 3, count: 32))
    #expect(
      try message(try trust(alice, bob, carol, threshold: 2))
        == "x.wpatch: is signed by \(a) (0.pub) alone; policy.json asks for signatures by 2 of \(a) (0.pub), \(b) "
        + "(1.pub), \(carol.publicKey.identifier.abbreviated) (2.pub)")
  }

  /// A key ID is a hint: another one, or none, changes nothing for a key that is tried.
  @Test func keyIDsDecideNothing() throws {
    let file = try PatchFile(path: path)
    let payload = statement(file).serialized(patch: file.identifier)
    for claim in [nil, "A", bob.publicKey.identifier.description] {
      try carry(try frame(alice, payload: payload, claims: claim))
      #expect(try report(try trust(alice)).holds)
    }
    // But who is named and trusted must have signed.
    try carry(try frame(alice, payload: payload, claims: bob.publicKey.identifier.description))
    let error = #expect(throws: ErrataError.self) { try report(try trust(alice, bob, threshold: 1)).check() }
    let reason = "does not hold: key \(bob.publicKey.identifier.abbreviated) (1.pub) did not make it"
    #expect(error?.message.contains(reason) == true)
  }

  @Test func theLedgerKeepsSignatures() throws {
    let fixture = try CheckpointFixture(.sharded)
    let patch = try fixture.patch("p.wpatch", [fixture.batch(seed: 5)])
    var signing = try PatchSigning(path: patch.path)
    _ = try signing.sign(with: alice, statement(signing.file))
    try signing.write(to: patch.path)
    let output = fixture.output("edited")
    try apply([PatchFile(path: patch.path)], to: fixture.path, output: output)
    let kept = try CheckpointState(path: output).patches
    #expect(kept.map(\.signatures) == [try PatchFile(path: patch.path).signatures])
    #expect(SignatureReport(of: kept[0], policy: try trust(alice)).holds)
    #expect(!SignatureReport(of: kept[0], policy: try trust(bob)).holds)
  }

  // MARK: What does not

  /// Every bit of payload and signature.
  @Test func refusesEveryChangedBit() throws {
    try sign(alice)
    let file = try PatchFile(path: path)
    let envelope = try SignatureEnvelope(parsing: file.signatures[0])
    let policy = try trust(alice)
    func expectRefused(_ changed: SignatureEnvelope) {
      var other = file
      other.signatures = [changed.serialized()]
      let error = #expect(throws: ErrataError.self) { try other.checkSignatures(policy) }
      #expect(error?.kind == .verification)
    }
    for bit in 0..<8 {
      for position in envelope.payload.indices {
        var changed = envelope
        changed.payload[position] ^= 1 << bit
        expectRefused(changed)
      }
      for position in envelope.signatures[0].bytes.indices {
        var changed = envelope
        changed.signatures[0].bytes[position] ^= 1 << bit
        expectRefused(changed)
      }
    }
  }

  /// Every byte of the frame, under a fresh seal: refused, or, in names that decide nothing, of no effect.
  @Test func survivesEveryChangedByteOfTheFrame() throws {
    try sign(alice)
    let file = try PatchFile(path: path)
    let frame = file.signatures[0]
    let keyID = alice.publicKey.identifier.description
    let text = String(decoding: frame, as: UTF8.self)
    // The name and the value of keyid.
    let hint = try #require(text.firstRange(of: "keyid\":\"\(keyID)"))
    let free = text.utf8.distance(from: text.startIndex, to: hint.lowerBound)
    let freeEnd = text.utf8.distance(from: text.startIndex, to: hint.upperBound)
    let policy = try trust(alice)
    for position in frame.indices {
      for bit in 0..<8 {
        var changed = frame
        changed[position] ^= 1 << bit
        var other = file
        other.signatures = [changed]
        let holds = SignatureReport(of: other, policy: policy).holds
        if holds { #expect((free..<freeEnd).contains(position), "byte \(position)") }
      }
    }
  }

  @Test func refusesTheSignatureOfAnotherPatch() throws {
    try sign(alice)
    let frame = try PatchFile(path: path).signatures[0]
    try AtomicFile.write(PatchFixture(factCounts: [2, 1], seed: 2).bytes(), to: path)
    try carry(frame)
    for policy in [nil, try trust(alice)] {
      let error = #expect(throws: ErrataError.self) { try report(policy).check() }
      #expect(error?.kind == .verification)
      #expect(error?.message.contains("signature 1 does not hold: it is for another patch, ") == true)
    }
    // Nor is such a patch signed again.
    #expect(throws: ErrataError.self) { try sign(bob) }
  }

  /// Statements of trusted signers that do not say "signed" do not count.
  @Test func otherStatementsDoNotCount() throws {
    let file = try PatchFile(path: path)
    let policy = try trust(alice)
    let payload = String(decoding: statement(file).serialized(patch: file.identifier), as: UTF8.self)
    let others: [(ByteString, String)] = [
      (SignatureStatement.payloadType, payload.replacing("Statement/v1", with: "Statement/v2")),
      (SignatureStatement.payloadType, payload.replacing("wpatch-signature:1", with: "wpatch-warning:1")),
      ("text/plain", payload), ("", payload),
    ]
    for (type, text) in others {
      try carry(try frame(alice, type: type, payload: Array(text.utf8)))
      let report = try report(policy)
      #expect(report.signers.isEmpty && !report.holds)
      #expect(!report.signatures[0].status.isFailure)
      #expect(report.signatures[0].statement == nil)
    }
  }

  @Test(arguments: [
    ("\"facts\":3", "\"facts\":2", "it is for 2 facts, and the patch has 3"),
    ("\"facts\":3", "\"facts\":\"3\"", "its statement lacks created or facts"),
    ("\"created\"", "\"kreated\"", "its statement lacks created or facts"),
    ("\"sha256\"", "\"sha512\"", "its statement names no patch"),
    ("\"name\":\"x.wpatch\"", "\"name\":[]", "the name in its statement is not a string"),
    ("\"version\":\"0\"", "\"version\":0", "the tool of its statement has no name or no version"),
    ("\"predicate\":{", "\"predicate\":{\"note\":1,", "the note in its statement is not a string"),
    ("\"predicate\":{", "\"predicate\":{\"facts\":3,", "its statement is not valid JSON at byte 99"),
  ])
  func refusesStatementsThatDoNotFit(original: String, replacement: String, reason: String) throws {
    let file = try PatchFile(path: path)
    let payload = String(decoding: statement(file).serialized(patch: file.identifier), as: UTF8.self)
    #expect(payload.contains(original))
    try carry(try frame(alice, payload: Array(payload.replacing(original, with: replacement).utf8)))
    #expect(try report(try trust(alice)).signatures.map(\.status) == [.fails(reason: reason)])
  }

  @Test(arguments: [
    ("", "it is not valid JSON at byte 0"),
    ("[]", "it is not a DSSE envelope"), ("{}", "it is a DSSE envelope without signatures"),
    (#"{"signatures":[]}"#, "it is a DSSE envelope without signatures"),
    (#"{"signatures":{}}"#, "it is a DSSE envelope without signatures"),
    (#"{"signatures":[1]}"#, "its signatures are not objects"),
    (#"{"payload":7,"signatures":[{}]}"#, "its payload is not a string"),
    (#"{"payload":"AB==","signatures":[{}]}"#, "its payload is not base64"),
    (#"{"payloadType":null,"signatures":[{}]}"#, "its payloadType is not a string"),
    (#"{"signatures":[{"keyid":1}]}"#, "its keyid is not a string"),
    (#"{"signatures":[{"sig":"!"}]}"#, "its sig is not base64"),
    (#"{"signatures":[{}],"signatures":[{}]}"#, "it is not valid JSON at byte 19"),
  ])
  func refusesWhatIsNoEnvelope(text: String, reason: String) throws {
    try carry(Array(text.utf8))
    for policy in [nil, try trust(alice)] {
      #expect(try report(policy).signatures.map(\.status) == [.fails(reason: reason)])
      let error = #expect(throws: ErrataError.self) { try report(policy).check() }
      #expect(error?.kind == .verification)
    }
  }

  @Test func refusesLargeAndDeepEnvelopes() throws {
    let deep = Array(String(repeating: "[", count: 60_000).utf8)
    let zeros = String(repeating: "A", count: 65_000)
    let large = Array(#"{"payload":"\#(zeros)","signatures":[{"sig":""}]}"#.utf8)
    let many = Array((#"{"signatures":["# + Array(repeating: "{}", count: 17).joined(separator: ",") + "]}").utf8)
    try carry(deep, large, many)
    let report = try report(try trust(alice))
    #expect(report.signatures.map(\.frame) == [1, 2, 3])
    #expect(report.signatures.map(\.status.isFailure) == [true, false, true])
    #expect(!report.holds)
    #expect(throws: ErrataError.self) { try carry([UInt8](repeating: 32, count: 65_537)) }
    #expect(throws: ErrataError.self) { try sign(bob, note: String(repeating: "n", count: 60_000)) }
  }

  @Test func aPatchCarriesSixteen() throws {
    for number in 0..<16 { #expect(try sign(PrivateKey(seed: [UInt8](repeating: 9, count: 31) + [UInt8(number)]))) }
    let signed = try directory.read("x.wpatch")
    let error = #expect(throws: ErrataError.self) { try sign(alice) }
    #expect(
      error?.message == "\(path): has 16 signatures already, the most that a patch can carry; remove one first")
    #expect(try directory.read("x.wpatch") == signed)
  }

  /// What a policy no longer takes: signatures after a key's expiry, by a revoked key, patches from before a date.
  @Test func aPolicyForgetsKeysAndPatches() throws {
    try sign(alice)
    let key = TrustedKey(name: nil, key: alice.publicKey)
    try directory.write(alice.publicKey.pem, to: "a.pub")
    try directory.write(bob.publicKey.pem, to: "b.pub")
    func check(_ members: String, key: String = "") throws -> SignatureReport {
      try directory.write(
        #"{"version": 1, "keys": [{"file": "a.pub"\#(key)}, {"file": "b.pub"}]\#(members)}"#, to: "policy.json")
      return try report(TrustPolicy(path: directory("policy.json")))
    }
    let policy = directory("policy.json")
    let names = [alice, bob].map(\.publicKey.identifier.abbreviated)
    let wanted = "\(policy) asks for a signature by one of \(names[0]) (a.pub), \(names[1]) (b.pub)"
    func expect(_ report: SignatureReport, _ message: String, _ location: SourceLocation = #_sourceLocation) {
      #expect(!report.holds, sourceLocation: location)
      #expect(
        throws: ErrataError(.verification, "\(path): \(message)"), sourceLocation: location
      ) { try report.check() }
    }
    let same = try check(#", "minimum_patch_date": "2026-01-31T12:00:00Z""#, key: #", "expires": "2026-02-02""#)
    #expect(same.holds && same.signers.map(\.key) == [key.key])
    expect(
      try check("", key: #", "expires": "2026-02-01""#),
      "has a signature that does not count: its key expired on 2026-02-01T00:00:00Z; \(wanted)")
    expect(
      try check(#", "revoked": ["\#(alice.publicKey.identifier)"]"#),
      "has a signature that does not count: its key is revoked; \(wanted)")
    expect(
      try check(#", "minimum_patch_date": "2026-02-01""#),
      "was made on 2026-01-31T12:00:00Z; \(policy) takes no patch from before 2026-02-01T00:00:00Z; get a newer one")
    let json = try check(#", "revoked": ["\#(alice.publicKey.identifier)"]"#).json["signatures"]?.arrayValue?[0]
    #expect(json?["status"] == "not_counted" && json?["reason"] == "its key is revoked")
  }
}
