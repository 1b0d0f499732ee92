import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import PatchAlgebra
@testable import SecondMomentStatistics

/// Factors of second moments that are kept beside them.
@Suite struct SecondMomentFactorTests {
  private let directory: TemporaryDirectory
  private let statistics: SecondMoments
  private var path: String { SecondMomentFactors.path(of: statistics.path) }

  init() throws {
    directory = try TemporaryDirectory()
    var random = SeededGenerator(seed: 4)
    func sum(_ size: Int) -> Matrix<Double> {
      let keys = Matrix(rows: size, columns: 3 * size, elements: (0..<3 * size * size).map { _ in random.gaussian() })
      // Symmetric to the last bit, as collected sums are.
      var sum = keys.multiplied(by: keys.transposed())
      for row in 0..<size { for column in 0..<row { sum[row, column] = sum[column, row] } }
      return sum
    }
    let sums = [2: sum(17), 5: sum(40)]
    let origin = SecondMomentOrigin(
      model: "model", tokenizer: Digest(of: []), corpus: "corpus", corpusDigest: Digest(of: []), sequenceLength: 8,
      weights: sums.mapValues { _ in Digest(of: []) })
    try SecondMoments.write(
      sums.mapValues { PackedTriangle(lowerTriangleOf: $0) }, tokenCount: 100, outputPowers: [:], origin: origin,
      to: directory("c"))
    statistics = try SecondMoments(contentsOf: directory("c"))
  }

  @Test(arguments: [0, 0.01]) func areThoseThatWouldBeMade(ridge: Double) throws {
    #expect(try SecondMomentFactors(of: statistics, ridge: ridge) == nil)
    var done: [Int] = []
    try SecondMomentFactors.write(statistics, layers: [5, 2], ridge: ridge) { done.append($0) }
    #expect(done == [1, 2])
    let kept = try #require(try SecondMomentFactors(of: statistics, ridge: ridge))
    let file = try SafetensorsFile(path: statistics.path)
    for layer in [2, 5] {
      let square = try file.tensor(named: SecondMoments.tensorName(layer)).matrix().widened()
      var triangle = PackedTriangle(lowerTriangleOf: square)
      #expect(try statistics.triangle(layer: layer).elements == triangle.elements)
      triangle.addRidge(ridge)
      let made = try Cholesky(triangle)
      let factor = try #require(try kept.factor(layer: layer))
      var rows: [[Double]] = []
      made.forEachRow { rows.append(Array($0)) }
      factor.forEachRow { #expect(Array($0) == rows[$0.count - 1]) }
    }
    #expect(try kept.factor(layer: 3) == nil)
    // Of another ridge, or of other second moments, they are of no use.
    #expect(try SecondMomentFactors(of: statistics, ridge: ridge + 1) == nil)
    let other = directory("other")
    try SecondMoments.write(
      [2: statistics.triangle(layer: 2)], tokenCount: 1, outputPowers: [:], origin: statistics.origin, to: other)
    try FileManager.default.copyItem(atPath: path, toPath: other + ".factors")
    #expect(try SecondMomentFactors(of: SecondMoments(contentsOf: other), ridge: ridge) == nil)
  }

  /// Whatever number of the factor is damaged, so that it matters.
  @Test func damageIsFound() throws {
    try SecondMomentFactors.write(statistics, layers: [2], ridge: 0)
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    let count = 17 * 18 / 2
    for index in 0..<count {
      var damaged = bytes
      damaged[bytes.count - 8 * (count - index) + 6] ^= 0x18
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      #expect(
        throws: ErrataError(
          .damagedInput,
          "\(path): damaged: layer 2 is no factor of the second moments; remove it, or make it again")
      ) { try SecondMomentFactors(of: statistics, ridge: 0)?.factor(layer: 2) }
    }
    try Data(bytes.dropLast(8)).write(to: URL(fileURLWithPath: path))
    #expect(throws: ErrataError.self) { try SecondMomentFactors(of: statistics, ridge: 0)?.factor(layer: 2) }
  }

  @Test func anotherFileInItsPlace() throws {
    try FileManager.default.copyItem(atPath: statistics.path, toPath: path)
    #expect(
      throws: ErrataError(
        .damagedInput,
        "\(path): damaged: its metadata is not that of factors; remove it, or make it again")
    ) { try SecondMomentFactors(of: statistics, ridge: 0) }
  }
}
