import Foundation
import Tensors
import TestSupport
import Testing

@testable import Safetensors
@testable import WeightPatch

/// Patches whose tensors are longer than a piece: read, checked and applied piece by piece.
@Suite struct StreamingTests {
  /// One tensor with 5 MiB of factors on either side, of float16.
  private func factors(outputs: Int = 26_000, inputs: Int = 27_000, isWrong: Bool = false) -> LowRankFactors {
    let terms = 101
    var random = SeededGenerator(seed: 5)
    func factor(_ rows: Int, _ columns: Int, exponents: [Int8]) -> StoredFactor {
      var patterns = (0..<rows * columns).map { _ in UInt16(truncatingIfNeeded: random.next()) & 0x3FFF }
      // Infinity, in the second piece.
      if isWrong { patterns[patterns.count - 7] = 0x7C00 }
      return StoredFactor(
        dtype: .f16, rows: rows, columns: columns, bytes: patterns.withUnsafeBytes(Array.init), exponents: exponents)
    }
    let exponents = (0..<terms).map { Int8($0 % 5 - 12) }
    return LowRankFactors(
      name: "w", isTransposed: false, left: factor(outputs, terms, exponents: exponents),
      right: factor(terms, inputs, exponents: exponents))
  }

  private func patch(_ factors: LowRankFactors, in directory: TemporaryDirectory) throws -> String {
    var fixture = PatchFixture(factCounts: [factors.rank], weights: ["w"])
    fixture.manifest.base.tensors["w"]!.shape = [factors.outputSize, factors.inputSize]
    try PatchWriter.write(fixture.manifest, batches: [EditBatch(tensors: [factors])], to: directory("x.wpatch"))
    return directory("x.wpatch")
  }

  @Test func holdsWhatWasWritten() throws {
    let directory = try TemporaryDirectory()
    let factors = factors()
    let file = try PatchFile(path: patch(factors, in: directory))
    let read = try #require(try file.factors(of: "w", inBatch: 0))
    #expect(read.left == factors.left && read.right == factors.right)
    #expect(try file.factors(of: "other", inBatch: 0) == nil)
    #expect(file.weights(ofBatch: 0) == ["w"])
    // The whole patch says the same of itself as its pieces did.
    #expect(file.patch.identifier == file.identifier)
    #expect(file.patch.batches[0].digest() == file.manifest.batches[0].digest)
    #expect(file.extent == "101 facts in 1 tensor" && file.patch.extent == file.extent)
  }

  @Test func checksEveryPiece() throws {
    let directory = try TemporaryDirectory()
    let path = try patch(factors(isWrong: true), in: directory)
    #expect {
      try PatchFile(path: path)
    } throws: { error in
      (error as? ErrataError)?.message
        == "\(path): tensor \"0/w/left\" has a value that is not a finite float32 number"
    }
  }

  /// Every float16 pattern with every exponent, piece by piece, against the values that `StoredFactor` gives.
  @Test func valuesAreFloat32Numbers() throws {
    let patterns = (0..<65536).map { UInt16($0) }
    let bytes = patterns.withUnsafeBytes(Array.init)
    for exponent in [-128, -127, -126, -125, -20, 0, 111, 112, 113, 127] as [Int8] {
      let finite = patterns.filter { $0 & 0x7C00 != 0x7C00 }
      for (content, count) in [(bytes, patterns.count), (finite.withUnsafeBytes(Array.init), finite.count)] {
        let factor = StoredFactor(dtype: .f16, rows: 1, columns: count, bytes: content, exponents: [exponent])
        let info = TensorInfo(name: "0/w/right", dtype: .f16, shape: [1, count], fileRange: 0..<2 * count)
        var check = FactorValueCheck(.right, info, exponents: [exponent])
        let accepted = content.withUnsafeBytes { content in
          let half = count / 2 * 2
          return check.accepts(UnsafeRawBufferPointer(rebasing: content[..<half]))
            && check.accepts(UnsafeRawBufferPointer(rebasing: content[half...]))
        }
        #expect(accepted == (factor.values(facts: .rows) != nil), "exponent \(exponent)")
      }
    }
  }
}
