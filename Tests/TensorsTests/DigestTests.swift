import Tensors
import TestSupport
import Testing

@Suite struct DigestTests {
  private static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  private static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

  @Test func knownDigests() {
    #expect(Digest(of: []).description == Self.empty)
    #expect(Digest(of: Array("abc".utf8)).description == Self.abc)
    #expect(Digest(of: Array("abc".utf8)).abbreviated == "ba7816bf8f01")
    var hasher = DigestHasher()
    hasher.update("a")
    hasher.update([] as [UInt8])
    hasher.update(Array("bc".utf8))
    #expect(hasher.finalize().description == Self.abc)
  }

  @Test func readsHexadecimal() {
    let digest = Digest(of: Array("abc".utf8))
    #expect(Digest(hexadecimal: Self.abc) == digest)
    #expect(Digest(hexadecimal: Self.abc.uppercased()) == digest)
    for text in [
      "", String(Self.abc.dropLast()), Self.abc + "0", "g" + Self.abc.dropFirst(), " " + Self.abc.dropFirst(),
      "\u{FF10}" + Self.abc.dropFirst(3),
    ] {
      #expect(Digest(hexadecimal: text) == nil)
    }
  }

  @Test func ordersBytewise() {
    func digest(_ first: UInt8) -> Digest { Digest(bytes: [first] + Array(repeating: 0, count: 31)) }
    #expect(digest(1) < digest(0x80))
    #expect(!(digest(1) < digest(1)))
  }

  @Test func ofFiles() throws {
    let directory = try TemporaryDirectory()
    try directory.write("abc", to: "x")
    try directory.write("", to: "empty")
    #expect(try Digest(contentsOf: directory("x")).description == Self.abc)
    #expect(try Digest(contentsOf: directory("empty")).description == Self.empty)
    let missing = directory("none")
    let error = ErrataError(.general, "\(missing): cannot open: no such file or directory")
    #expect(throws: error) { try Digest(contentsOf: missing) }
  }
}
