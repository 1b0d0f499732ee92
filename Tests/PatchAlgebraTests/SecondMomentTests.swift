import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import PatchAlgebra
@testable import SecondMomentStatistics

/// Merging second moments, and judging them.
@Suite struct SecondMomentTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func write(
    _ name: String, _ sums: [Int: Matrix<Double>], tokens: Int, corpus: String? = nil, tokenizer: String = "t",
    weight: String = "w", powers: [Int: Double] = [:]
  ) throws -> SecondMoments {
    let origin = SecondMomentOrigin(
      model: "model", tokenizer: Digest(of: Array(tokenizer.utf8)), corpus: corpus ?? name,
      corpusDigest: Digest(of: Array((corpus ?? name).utf8)), sequenceLength: 8,
      weights: sums.mapValues { _ in Digest(of: Array(weight.utf8)) })
    try SecondMoments.write(
      sums.mapValues { PackedTriangle(lowerTriangleOf: $0) }, tokenCount: tokens, outputPowers: powers, origin: origin,
      to: directory(name))
    return try SecondMoments(contentsOf: directory(name))
  }

  private func diagonal(_ values: [Double]) -> Matrix<Double> {
    var matrix = Matrix<Double>(rows: values.count, columns: values.count)
    for (index, value) in values.enumerated() { matrix[index, index] = value }
    return matrix
  }

  @Test func mergesByTheNumberOfTokens() throws {
    let a = try write("a", [1: diagonal([8, 4])], tokens: 4, powers: [1: 3])
    let b = try write("b", [1: diagonal([12, 24])], tokens: 12, powers: [1: 7])
    try SecondMoments.merge([a, b], to: directory("c"))
    let c = try SecondMoments(contentsOf: directory("c"))
    #expect(c.tokenCount == 16)
    #expect(try c.triangle(layer: 1).rows(0..<2) == diagonal([20.0 / 16, 28.0 / 16]))
    #expect(c.outputPowers == [1: 6])
    #expect(c.origin.corpus == "a, b")
    #expect(c.origin.weights == a.origin.weights)
    #expect(c.origin.sequenceLength == 8)
  }

  @Test func notFiniteIsFoundWhereverItIs() throws {
    for (row, column) in [(0, 0), (4, 1), (2, 2), (4, 4)] {
      var matrix = diagonal([1, 2, 3, 4, 5])
      matrix[row, column] = .nan
      let file = try write("x", [0: matrix], tokens: 1)
      let error = ErrataError.notStatistics(directory("x"), "layer 0 is not a finite square matrix")
      #expect(throws: error) { try file.triangle(layer: 0) }
    }
  }

  @Test func mergesInAnyOrderAndInSteps() throws {
    let parts = try (0..<3).map { index in
      try write("\(index)", [0: diagonal([Double(index + 1), 8]), 1: diagonal([3, 1])], tokens: 1 << index)
    }
    try SecondMoments.merge(parts, to: directory("all"))
    try SecondMoments.merge([parts[1], parts[2]], to: directory("rest"))
    try SecondMoments.merge([try SecondMoments(contentsOf: directory("rest")), parts[0]], to: directory("steps"))
    let all = try SecondMoments(contentsOf: directory("all"))
    let steps = try SecondMoments(contentsOf: directory("steps"))
    for layer in 0...1 {
      let (x, y) = (try all.triangle(layer: layer), try steps.triangle(layer: layer))
      for index in 0..<2 { #expect(abs(x[index, index] - y[index, index]) <= 1e-6 * x[index, index]) }
    }
    #expect(all.tokenCount == 7 && steps.tokenCount == 7)
  }

  @Test func refusesToMergeWhatDoesNotFit() throws {
    let one = diagonal([1, 1])
    let a = try write("a", [1: one], tokens: 4)
    func fail(_ other: SecondMoments, _ error: ErrataError) {
      #expect(throws: error) { try SecondMoments.merge([a, other], to: directory("out")) }
      #expect(!FileManager.default.fileExists(atPath: directory("out")))
    }
    let layers = try write("layers", [1: one, 2: one], tokens: 4)
    fail(layers, .mergedLayersDiffer(a, layers))
    #expect(
      ErrataError.mergedLayersDiffer(a, layers).message
        == "\(layers.path): has layers 1, 2, and \(a.path) has 1; only files of the same layers merge")
    fail(
      try write("model", [1: one], tokens: 4, weight: "other"),
      .mergedModelsDiffer(a.path, directory("model"), "layer 1's down-projection"))
    fail(
      try write("tokenizer", [1: one], tokens: 4, tokenizer: "other"),
      .mergedModelsDiffer(a.path, directory("tokenizer"), "the tokenizer"))
    fail(try write("again", [1: one], tokens: 8, corpus: "a"), .mergedTextsEqual(a.path, directory("again")))
    fail(
      try write("size", [1: diagonal([1])], tokens: 4),
      .notStatistics(directory("size"), "layer 1 has 1 rows, not 2"))
    fail(
      try write("many", [1: one], tokens: .max),
      .notStatistics(directory("many"), "it cannot have counted \(Int.max) tokens"))
  }

  @Test func judges() throws {
    func condition(_ values: [Double], tokens: Int, ridge: Double = 0) throws -> SecondMomentCondition {
      let file = try write("x", [0: diagonal(values.map { $0 * Double(tokens) })], tokens: tokens)
      return try SecondMomentCondition(file, layer: 0, ridge: ridge)
    }
    let good = try condition([4, 1], tokens: 20)
    #expect(good.verdict == .good && good.advice == "good")
    #expect(good.condition == 4 && good.smallestPivot == 1 && good.deadFeatures == 0)
    #expect(try condition([4, 1], tokens: 8).advice == "usable; 12 more tokens are better")
    #expect(try condition([4, 1], tokens: 2).advice == "poor: expect edits to spill; count 18 more tokens")
    // The scale of a feature makes the condition number large, and hinders nothing.
    #expect(try condition([1e6, 1e-6], tokens: 20).verdict == .good)
    let dead = try condition([4, 0], tokens: 20)
    #expect(dead.verdict == .singular && dead.deadFeatures == 1 && dead.condition == nil && dead.smallestPivot == nil)
    #expect(dead.advice == "singular, with 1 always zero: add --ridge 1e-4")
    #expect(try condition([4, 0], tokens: 1).advice.hasSuffix(": count 19 more tokens, or add --ridge 1e-4"))
    #expect(try condition([4, 0], tokens: 20, ridge: 0.5).condition == 5)
  }

  @Test func rounding() throws {
    // Two features that differ by a few units of binary32.
    var sum = diagonal([1, 1])
    (sum[0, 1], sum[1, 0]) = (1 - 0x1p-23, 1 - 0x1p-23)
    let file = try write("x", [0: sum], tokens: 1)
    let condition = try SecondMomentCondition(file, layer: 0)
    #expect(condition.verdict == .illConditioned)
    #expect(condition.advice == "ill-conditioned: count 19 more tokens, or add --ridge 1e-4")
    #expect(try SecondMomentCondition(file, layer: 0, ridge: 0.1).verdict == .poor)
  }
}
