import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import KnowledgeEditing
@testable import PatchAlgebra
@testable import SecondMomentStatistics

@Suite struct LayerProposalTests {
  @Test(arguments: [
    (1, [0]), (2, [0]), (4, [0, 1]), (6, [0, 1, 2]), (12, [1, 2, 3]), (28, [3, 4, 5]), (32, [4, 5, 6]),
    (48, [7, 8, 9]),
  ]) func candidates(layerCount: Int, expected: [Int]) {
    #expect(LayerProposal.candidates(of: layerCount) == expected)
    #expect(expected.contains(LayerProposal.layer(of: layerCount)))
  }

  /// Second moments of keys of four values in some layers: the identity, and a share of one direction on top of it.
  private func statistics(_ shares: [Int: Double]) throws -> (SecondMoments, TemporaryDirectory) {
    let directory = try TemporaryDirectory()
    var sums: [Int: PackedTriangle] = [:]
    for (layer, share) in shares {
      var sum = PackedTriangle(size: 4)
      // (1 - share) of the trace in equal parts, and the rest along (1, 1, 1, 1).
      for row in 0..<4 {
        for column in 0...row { sum[row, column] = 100 * ((row == column ? 1 - share : 0) + share) }
      }
      sums[layer] = sum
    }
    let origin = SecondMomentOrigin(
      model: "m", tokenizer: Digest(of: [1] as [UInt8]), corpus: "c", corpusDigest: Digest(of: [2] as [UInt8]),
      sequenceLength: 8,
      weights: shares.mapValues { _ in Digest(of: [3] as [UInt8]) })
    try SecondMoments.write(
      sums, tokenCount: 100, outputPowers: [:], origin: origin, to: directory("stats.safetensors"))
    return (try SecondMoments(contentsOf: directory("stats.safetensors")), directory)
  }

  @Test func theNearestToASixthOfTheDepth() throws {
    let (statistics, _) = try statistics([3: 0.1, 4: 0.1, 5: 0.1, 9: 0])
    let proposal = try LayerProposal(statistics, layerCount: 24)
    #expect(proposal.layer == 4)
    // The share of the largest eigenvalue: 0.1 along one direction, and a quarter of the rest.
    #expect(abs(try #require(proposal.concentration) - (0.1 + 0.9 / 4)) < 1e-2)
  }

  @Test func notWhereKeysAreNearlyAllAlongOneDirection() throws {
    let (statistics, _) = try statistics([3: 0.4, 4: 0.95, 5: 0.2])
    #expect([3, 5].contains(try LayerProposal(statistics, layerCount: 24).layer))
    let (bad, _) = try self.statistics([3: 0.99, 4: 0.95, 5: 0.9])
    #expect(try LayerProposal(bad, layerCount: 24).layer == 5)
  }

  @Test func whatWasCollectedDecides() throws {
    let (statistics, _) = try statistics([20: 0.1])
    #expect(try LayerProposal(statistics, layerCount: 24).layer == 20)
  }
}
