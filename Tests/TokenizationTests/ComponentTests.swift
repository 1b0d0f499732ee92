import Foundation
import Testing

@testable import Tokenization

/// The same numbers in every run. Constants of Knuth's MMIX (The Art of Computer Programming, 3.3.4).
private struct LinearGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 32
  }
}

@Suite struct ComponentTests {
  /// A random vocabulary of pairs; the scan is the definition, written out.
  @Test func queueMergesLikeScan() {
    var generator = LinearGenerator(state: 7)
    var table = MergeTable(capacity: 400)
    for rank in 0..<400 {
      let left = Int32.random(in: 0..<40, using: &generator)
      let right = Int32.random(in: 0..<40, using: &generator)
      table.insert(left, right, rank: UInt32(rank), result: Int32.random(in: 0..<40, using: &generator))
    }
    for count in [0, 1, 2, 3, 10, 96, 97, 200] {
      let symbols = (0..<count).map {
        PieceToken(id: Int32.random(in: 0..<40, using: &generator), start: Int32($0), end: Int32($0 + 1))
      }
      var scanned = symbols
      var queued = symbols
      table.applyByScanning(&scanned)
      table.applyByQueue(&queued)
      #expect(scanned.map(\.id) == queued.map(\.id))
      #expect(scanned.map(\.end) == queued.map(\.end))
      #expect(scanned.last?.end ?? 0 == Int32(count))
    }
  }

  @Test func byteTableKeepsManyStrings() {
    var table = ByteTable(minimumCapacity: 1)
    let strings = (0..<5000).map { Array("\($0)-\(String(repeating: "x", count: $0 % 23))".utf8) } + [[]]
    for string in strings { #expect(string.withUnsafeBufferPointer { table.insert($0) }) }
    for (index, string) in strings.enumerated() {
      #expect(string.withUnsafeBufferPointer { table.index(of: $0) } == index)
      #expect(Array(table[index]) == string)
    }
    #expect(!strings[7].withUnsafeBufferPointer { table.insert($0) })
    #expect(Array("absent".utf8).withUnsafeBufferPointer { table.index(of: $0) } == nil)
  }

  @Test func byteAlphabetSpellsEveryByte() {
    let bytes = (UInt8.min...UInt8.max).map { $0 }
    let spelling = ByteAlphabet.spelling(of: bytes)
    #expect(ByteAlphabet.bytes(of: spelling) == bytes)
    #expect(Set(String(decoding: spelling, as: UTF8.self).unicodeScalars).count == 256)
    #expect(ByteAlphabet.spelling(of: Array(" \n".utf8)) == Array("ĠĊ".utf8))
    #expect(ByteAlphabet.bytes(of: Array("日".utf8)) == nil)
  }

  /// The first two are where Swift 6.3's own composition fails.
  @Test(arguments: [
    ("\u{AC00}\u{11A8}", "\u{AC01}"), ("\u{E014D}\u{300}", "\u{E014D}\u{300}"), ("e\u{301}", "\u{E9}"),
    ("\u{1100}\u{1161}\u{11A8}", "\u{AC01}"), ("q\u{307}\u{323}", "q\u{323}\u{307}"), ("\u{212B}", "\u{C5}"),
    ("\u{CCA}\u{CD5}", "\u{CCB}"), ("\u{2003C}\u{338}", "\u{2003C}\u{338}"), ("\u{2F800}", "\u{4E3D}"), ("é日", "é日"),
  ])
  func canonicalComposition(_ text: String, _ expected: String) {
    var aligned = AlignedText(text.utf8, origin: 0)
    aligned.normalize(to: .canonicalComposition)
    #expect(aligned.bytes == Array(expected.utf8))
  }

  @Test func addedTokensDoNotTakeTheSameWhiteSpaceTwice() {
    func token(_ content: String, id: Int32, stripsLeft: Bool = false, stripsRight: Bool = false) -> AddedToken {
      AddedToken(
        content: Array(content.utf8), id: id, isSpecial: false, isNormalized: false, isSingleWord: false,
        stripsLeft: stripsLeft, stripsRight: stripsRight)
    }
    let tokens = [token("<R>", id: 1, stripsRight: true), token("  ", id: 2, stripsLeft: true)]
    let matcher = AddedTokenMatcher(tokens.map { ($0, $0.content) })
    let parts = Array("x<R>   y".utf8).withUnsafeBufferPointer { matcher.split($0) }
    let descriptions = parts.map { part in
      switch part {
      case .text(let range): "text \(range)"
      case .token(let token, let range): "\(token.id) \(range)"
      }
    }
    #expect(descriptions == ["text 0..<1", "1 1..<7", "text 7..<8"])
  }
}
