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
  private func statistics(
    _ shares: [Int: Double], singular: Int? = nil
  ) throws -> (SecondMoments, TemporaryDirectory) {
    let directory = try TemporaryDirectory()
    var sums: [Int: PackedTriangle] = [:]
    for (layer, share) in shares {
      var sum = PackedTriangle(size: 4)
      // (1 - share) of the trace in equal parts, and the rest along (1, 1, 1, 1).
      for row in 0..<4 {
        for column in 0...row { sum[row, column] = 100 * ((row == column ? 1 - share : 0) + share) }
      }
      if layer == singular {
        // The last value is that before it.
        for column in 0..<3 { sum[3, column] = sum[2, column] }
        sum[3, 3] = sum[2, 2]
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

  private func proposal(_ statistics: SecondMoments, effects: [Int: Double] = [:]) throws -> LayerProposal {
    try LayerProposal(statistics, layerCount: 24) { layers in effects.filter { layers.contains($0.key) } }
  }

  @Test func theNearestToASixthOfTheDepth() throws {
    let (statistics, _) = try statistics([3: 0.1, 4: 0.1, 5: 0.1, 9: 0])
    let proposal = try proposal(statistics)
    #expect(proposal.layer == 4)
    // The share of the largest eigenvalue: 0.1 along one direction, and a quarter of the rest.
    #expect(abs(try #require(proposal.concentration) - (0.1 + 0.9 / 4)) < 1e-2)
  }

  @Test func theCandidateOfMostEffect() throws {
    let (statistics, _) = try statistics([3: 0.1, 4: 0.1, 5: 0.1, 9: 0])
    #expect(try proposal(statistics, effects: [3: 0.3, 4: 0.1, 5: 0.2, 9: 1]).layer == 3)
    #expect(try proposal(statistics, effects: [3: 0.1, 4: 0.1, 5: 0.1]).layer == 4)
  }

  @Test func notWhereKeysAreNearlyAllAlongOneDirection() throws {
    let (statistics, _) = try statistics([3: 0.3, 4: 0.95, 5: 0.2])
    #expect(try proposal(statistics, effects: [3: 0.3, 4: 0.9, 5: 0.2]).layer == 3)
    let (further, _) = try self.statistics([3: 0.99, 4: 0.95, 5: 0.9, 12: 0.1])
    #expect(try proposal(further).layer == 12)
    let (bad, _) = try self.statistics([3: 0.99, 4: 0.95, 5: 0.9])
    #expect(try proposal(bad).layer == 5)
  }

  /// Of four values two of which are the same there is no inverse.
  @Test func notWhereSecondMomentsAreSingular() throws {
    let (statistics, _) = try statistics([3: 0.1, 4: 0.1], singular: 4)
    #expect(try proposal(statistics, effects: [3: 0.1, 4: 0.9]).layer == 3)
  }

  @Test func whatWasCollectedDecides() throws {
    let (statistics, _) = try statistics([20: 0.1])
    #expect(try proposal(statistics).layer == 20)
  }

  /// All prompts go on after their subjects: what the last block adds there is read by no later token.
  @Test func aBlockHasAnEffectUnlessNothingReadsIt() throws {
    let model = try LanguageModel(path: GoldenEdit.sampleModelPath)
    let layers = Array(0..<model.architecture.layerCount)
    let effects = try LayerProbe(model).effects(ofLayers: layers)
    #expect(effects.keys.sorted() == layers)
    #expect(layers.dropLast().allSatisfy { effects[$0]! > 1e-6 })
    #expect(abs(effects[layers.last!]!) < 1e-9)
  }
}
