import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import NumpyArchive
@testable import SecondMomentStatistics

/// Files that numpy wrote (Tests/Golden/make_npz.py), whole and damaged.
@Suite struct NumpyArchiveTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Golden/npz").standardizedFileURL.path

  private func read(_ name: String, keyLength: Int = 24) throws -> (sum: Matrix<Double>, count: Int) {
    let (sum, count) = try NumpySecondMoments(path: "\(Self.folder)/\(name).npz", layer: 0).read(keyLength: keyLength)
    return (sum.rows(0..<sum.size), count)
  }

  @Test(arguments: [("stored", true), ("deflated", true), ("float64", false)])
  func readsWhatNumpyWrote(name: String, isSingle: Bool) throws {
    let (sum, count) = try read(name)
    #expect(count == 100)
    for row in 0..<24 {
      for column in 0..<24 {
        let exact = (row == column ? 1000 : 0) + 1 / Double(1 + row + column)
        #expect(sum[row, column] == (isSingle ? Double(Float(exact)) : exact))
      }
    }
  }

  @Test func readsRuns() throws {
    let sum = try read("runs").sum
    for row in 0..<24 { for column in 0..<24 { #expect(sum[row, column] == (row == column ? 1 : 0)) } }
  }

  @Test(arguments: [
    ("fortran", "not a .npz file of arrays: 'mom2.mom2': it is in Fortran order"),
    ("half", "not a .npz file of second moments: 'mom2.mom2' is of half precision, too coarse for sums"),
    ("mean", "not a .npz file of second moments: it has no 'mom2.count'"),
  ])
  func saysWhatItCannotUse(name: String, message: String) {
    #expect(throws: ErrataError(.damagedInput, "\(Self.folder)/\(name).npz: \(message)")) { try read(name) }
  }

  @Test func saysThatTheModelIsAnother() {
    let path = "\(Self.folder)/stored.npz"
    #expect(throws: ErrataError.numpyFileOfAnotherModel(path, shape: [24, 24], keyLength: 32)) {
      try read("stored", keyLength: 32)
    }
  }

  /// Every byte changed in turn, and every length: an error of the right kind, or what was there; never a crash.
  @Test(arguments: ["stored", "deflated", "runs"])
  func survivesDamage(name: String) throws {
    let directory = try TemporaryDirectory()
    let whole = Array(try Data(contentsOf: URL(filePath: "\(Self.folder)/\(name).npz")))
    let sound = try read(name)
    func check(_ bytes: [UInt8]) throws {
      try Data(bytes).write(to: URL(filePath: directory("x.npz")))
      do {
        let found = try NumpySecondMoments(path: directory("x.npz"), layer: 0).read(keyLength: 24)
        #expect(found.sum.rows(0..<24) == sound.sum && found.count == sound.count)
      } catch let error as ErrataError {
        #expect(error.kind == .damagedInput || error.kind == .baseMismatch)
      }
    }
    for index in whole.indices {
      for change: UInt8 in [1, 0x80, 0xFF] {
        var bytes = whole
        bytes[index] ^= change
        try check(bytes)
      }
    }
    for count in stride(from: 0, to: whole.count, by: 7) { try check(Array(whole.prefix(count))) }
  }

  /// The checksum keeps damage from the decompressor in the test above, so it is asked alone here.
  @Test func inflateSurvivesAnyBytes() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<20_000 {
      let length = Int.random(in: 0..<80, using: &generator)
      var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      // A first block of each kind.
      if !bytes.isEmpty { bytes[0] = bytes[0] & ~7 | UInt8.random(in: 0..<6, using: &generator) }
      let count = Int.random(in: 0..<300, using: &generator)
      if let output = try? bytes.withUnsafeBytes({ try inflate($0, count: count) }) { #expect(output.count == count) }
    }
  }

  @Test(
    arguments: [
      ([0x01, 0x03, 0x00, 0xFC, 0xFF, 0x61, 0x62, 0x63], 3, nil),
      ([0x01, 0x03, 0x00, 0xFC, 0xFE, 0x61, 0x62, 0x63], 3, "invalid stored block lengths"),
      ([0x01, 0x03, 0x00, 0xFC, 0xFF, 0x61, 0x62, 0x63], 2, "it is longer than it says"),
      ([0x01, 0x03, 0x00, 0xFC, 0xFF, 0x61, 0x62, 0x63], 4, "it is shorter than it says"),
      ([0x01, 0x03, 0x00, 0xFC, 0xFF, 0x61], 3, "it ends early"),
      ([0x01, 0x03, 0x00, 0xFC, 0xFF, 0x61, 0x62, 0x63, 0], 3, "bytes follow its end"),
      ([0x07], 3, "invalid block type"),
      // zlib's output for "abc", in the fixed code.
      ([0x4B, 0x4C, 0x4A, 0x06, 0x00], 3, nil),
      ([0x4B, 0x4C, 0x4A, 0x06], 3, "it ends early"),
      ([0x03, 0x00], 0, nil),
      ([], 0, "it ends early"),
      ([0x03, 0x02, 0x00], 3, "invalid distance too far back"),
    ] as [([UInt8], Int, String?)])
  func inflates(bytes: [UInt8], count: Int, reason: String?) throws {
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(InflateError) in try inflate(buffer, count: count) }
    }
    switch result {
    case .success(let output):
      #expect(reason == nil)
      #expect(output == Array("abc".utf8.prefix(count)))
    case .failure(let error): #expect(error.reason == reason)
    }
  }
}
