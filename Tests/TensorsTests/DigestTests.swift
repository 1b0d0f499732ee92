import TestSupport
import Testing

import struct Crypto.SHA256

@testable import Tensors

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

  /// Messages of all lengths around the block's, in pieces, one alone and several at the same time, against a library.
  @Test(arguments: 1...7)
  func severalMessagesAtOnce(count: Int) {
    var random = SeededGenerator(seed: UInt64(count))
    for round in 0..<60 {
      var hashers = (0..<count).map { _ in DigestHasher(isPortable: round % 20 == 19) }
      if round % 20 == 18 { hashers[0] = DigestHasher() }
      var witnesses = Array(repeating: SHA256(), count: count)
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        let pieces = (0..<count).map { _ in
          (0..<Int.random(in: 0...(round % 3 == 0 ? 700 : 130), using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
          }
        }
        for (index, piece) in pieces.enumerated() { witnesses[index].update(data: piece) }
        let all = pieces.flatMap { $0 }
        all.withUnsafeBytes { bytes in
          var start = 0
          let slices = pieces.map { piece in
            defer { start += piece.count }
            return UnsafeRawBufferPointer(rebasing: bytes[start..<start + piece.count])
          }
          if round % 2 == 0 {
            DigestHasher.update(&hashers, slices)
          } else {
            for index in hashers.indices { hashers[index].update(slices[index]) }
          }
        }
      }
      for (hasher, witness) in zip(hashers, witnesses) {
        #expect(hasher.finalize().bytes == Array(witness.finalize()))
      }
    }
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
