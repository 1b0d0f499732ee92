import Foundation
import TestSupport
import Testing

@testable import Transformer

@Suite struct AttentionTests {
  struct Heads: Sendable {
    let count: Int
    let keyValueCount: Int
    let size: Int
  }

  static let heads = [
    Heads(count: 4, keyValueCount: 2, size: 6), Heads(count: 3, keyValueCount: 3, size: 8),
    Heads(count: 4, keyValueCount: 1, size: 5), Heads(count: 1, keyValueCount: 1, size: 16),
  ]

  private static let keptCount = 6

  /// Two trees. The first branches twice, and its first run follows kept rows that lie apart.
  private static func branchingPlan() -> AttentionPlan {
    let kept: [AttentionPlan.Source] = [.kept(4..<6), .kept(1..<3)]
    return AttentionPlan(runs: [
      .init(rows: 0..<3, context: kept, group: 0),
      .init(rows: 3..<5, context: kept + [.active(0..<3)], group: 0),
      .init(rows: 5..<6, context: kept + [.active(0..<3), .active(3..<5)], group: 0),
      .init(rows: 6..<16, context: kept + [.active(0..<3)], group: 0),
      .init(rows: 16..<17, context: [], group: 1),
      .init(rows: 17..<20, context: [.active(16..<17)], group: 1),
    ])
  }

  /// A run of more queries than are taken at a time, and a branch of it.
  private static func longPlan() -> AttentionPlan {
    AttentionPlan(runs: [
      .init(rows: 0..<150, context: [.kept(0..<6)], group: 0),
      .init(rows: 150..<223, context: [.kept(0..<6), .active(0..<150)], group: 0),
    ])
  }

  /// Attention from its definition, a row and a head at a time.
  private struct Reference {
    let heads: Heads
    let plan: AttentionPlan
    let kept: [Double]
    var window: Int?
    var cap: Double?
    /// Of each head, for the position of the key.
    var slopes: [Double]?

    var querySize: Int { heads.count * heads.size }
    var keyValueSize: Int { heads.keyValueCount * heads.size }
    var stride: Int { querySize + 2 * keyValueSize }

    func output(_ packed: [Double]) -> [Double] {
      var result = [Double](repeating: 0, count: plan.rowCount * querySize)
      for run in plan.runs {
        for row in run.rows {
          // Where the keys that the row sees start, and in which array.
          var visible: [(keys: [Double], start: Int)] = []
          for source in run.context + [.active(run.rows.lowerBound..<row + 1)] {
            switch source {
            case .kept(let rows): visible += rows.map { (kept, $0 * 2 * keyValueSize) }
            case .active(let rows): visible += rows.map { (packed, $0 * stride + querySize) }
            }
          }
          let first = window.map { max(0, visible.count - $0) } ?? 0
          visible = Array(visible[first...])
          for head in 0..<heads.count {
            let offset = head / (heads.count / heads.keyValueCount) * heads.size
            let scores = visible.enumerated().map { column, place in
              let (keys, start) = place
              var score =
                (0..<heads.size).reduce(0.0) {
                  $0 + packed[row * stride + head * heads.size + $1] * keys[start + offset + $1]
                } / Double(heads.size).squareRoot()
              score = cap.map { $0 * tanh(score / $0) } ?? score
              return score + (slopes.map { $0[head] * Double(first + column) } ?? 0)
            }
            let largest = scores.max()!
            let weights = scores.map { exp($0 - largest) }
            let sum = weights.reduce(0, +)
            for (weight, (values, start)) in zip(weights, visible) {
              for index in 0..<heads.size {
                result[row * querySize + head * heads.size + index] +=
                  weight / sum * values[start + keyValueSize + offset + index]
              }
            }
          }
        }
      }
      return result
    }
  }

  private struct Found {
    let output: [Double]
    let outputWithoutTape: [Double]
    let dPacked: [Double]
  }

  private func run(_ reference: Reference, packed: [Double], dOutput: [Double]) -> Found {
    let (heads, plan) = (reference.heads, reference.plan)
    let attention = Attention(
      headCount: heads.count, keyValueHeadCount: heads.keyValueCount, headSize: heads.size,
      scale: 1 / Float(heads.size).squareRoot(), scoreCap: reference.cap.map { Float($0) },
      positionBias: reference.slopes.map {
        PositionBias(.init(slopes: $0.single), positionCount: 256, attentionScale: 1)
      })
    let window = reference.window
    let (packed, kept, dOutput) = (packed.single, reference.kept.single, dOutput.single)
    let alone = filled(dOutput.count) {
      attention.forward(plan, packed: packed, kept: kept, window: window, into: $0, probabilities: nil)
    }
    var output: [Float] = []
    let probabilities = filled(Attention.probabilityOffsets(plan, headCount: heads.count).count) { probabilities in
      output = filled(dOutput.count) {
        attention.forward(plan, packed: packed, kept: kept, window: window, into: $0, probabilities: probabilities)
      }
    }
    let dPacked = filled(packed.count) {
      attention.backward(
        plan, packed: packed, kept: kept, probabilities: probabilities, dOutput: dOutput, into: $0)
    }
    return Found(output: output.double, outputWithoutTape: alone.double, dPacked: dPacked.double)
  }

  @Test(arguments: heads) func branchingTrees(heads: Heads) {
    var random = SeededGenerator(seed: 24)
    let plan = Self.branchingPlan()
    let reference = Reference(
      heads: heads, plan: plan, kept: random.gaussians(Self.keptCount * 2 * heads.keyValueCount * heads.size))
    let packed = random.gaussians(plan.rowCount * reference.stride)
    let dOutput = random.gaussians(plan.rowCount * reference.querySize)
    let found = run(reference, packed: packed, dOutput: dOutput)
    let expected = reference.output(packed)
    #expect(relativeError(found.output, expected) < 1e-6)
    #expect(found.outputWithoutTape == found.output)
    let gradient = numericalGradient(at: packed) { dot(reference.output($0), dOutput) }
    #expect(relativeError(found.dPacked, gradient) < 1e-4)
  }

  /// Windows shorter than a run, that end in kept rows, and longer than everything; a cap that bites and one that
  /// hardly does.
  @Test(arguments: [1, 2, 4, 100], [nil, 0.7, 50]) func windowsAndCaps(window: Int, cap: Double?) {
    var random = SeededGenerator(seed: 35)
    let (heads, plan) = (Heads(count: 4, keyValueCount: 2, size: 6), Self.branchingPlan())
    let kept = random.gaussians(Self.keptCount * 2 * heads.keyValueCount * heads.size)
    let reference = Reference(heads: heads, plan: plan, kept: kept, window: window, cap: cap)
    let packed = random.gaussians(plan.rowCount * reference.stride)
    let dOutput = random.gaussians(plan.rowCount * reference.querySize)
    let found = run(reference, packed: packed, dOutput: dOutput)
    #expect(relativeError(found.output, reference.output(packed)) < 2e-6)
    #expect(found.outputWithoutTape == found.output)
    let gradient = numericalGradient(at: packed) { dot(reference.output($0), dOutput) }
    #expect(relativeError(found.dPacked, gradient) < 1e-4)
  }

  /// ALiBi, with and without a window.
  @Test(arguments: [nil, 3]) func positionBiases(window: Int?) {
    var random = SeededGenerator(seed: 37)
    let (heads, plan) = (Heads(count: 4, keyValueCount: 2, size: 6), Self.branchingPlan())
    let kept = random.gaussians(Self.keptCount * 2 * heads.keyValueCount * heads.size)
    let slopes = PositionBias.slopes(headCount: 4).double
    let reference = Reference(heads: heads, plan: plan, kept: kept, window: window, slopes: slopes)
    let packed = random.gaussians(plan.rowCount * reference.stride)
    let dOutput = random.gaussians(plan.rowCount * reference.querySize)
    let found = run(reference, packed: packed, dOutput: dOutput)
    #expect(relativeError(found.output, reference.output(packed)) < 2e-6)
    #expect(found.outputWithoutTape == found.output)
    let gradient = numericalGradient(at: packed) { dot(reference.output($0), dOutput) }
    #expect(relativeError(found.dPacked, gradient) < 1e-4)
  }

  /// Press et al. 2022: 2^-2, 2^-4, ... for four heads; for six, the first two of the odd ones of eight beside them.
  @Test func slopes() {
    #expect(PositionBias.slopes(headCount: 4) == [0.25, 0.0625, 0.015625, 0.00390625])
    #expect(PositionBias.slopes(headCount: 6) == [0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125])
    #expect(PositionBias.slopes(headCount: 1) == [0.00390625])
  }

  @Test(arguments: [nil, 70]) func longRuns(window: Int?) {
    var random = SeededGenerator(seed: 25)
    let (heads, plan) = (Heads(count: 4, keyValueCount: 2, size: 6), Self.longPlan())
    let reference = Reference(
      heads: heads, plan: plan, kept: random.gaussians(Self.keptCount * 2 * heads.keyValueCount * heads.size),
      window: window)
    let packed = random.gaussians(plan.rowCount * reference.stride)
    let dOutput = random.gaussians(plan.rowCount * reference.querySize)
    let found = run(reference, packed: packed, dOutput: dOutput)
    #expect(relativeError(found.output, reference.output(packed)) < 1e-6)
    #expect(relativeError(found.outputWithoutTape, found.output) < 1e-6)
    // There are too many values to move each: along random directions, one of which moves single rows.
    for trial in 0..<6 {
      let direction = random.gaussians(packed.count).enumerated().map { index, value in
        trial < 3 || index / reference.stride == 40 * trial ? value : 0
      }
      let numerical = numericalGradient(at: [0]) { step in
        dot(reference.output(zip(packed, direction).map { $0 + step[0] * $1 }), dOutput)
      }
      let scale = dot(direction, direction).squareRoot() * dot(found.dPacked, found.dPacked).squareRoot()
      #expect(abs(dot(found.dPacked, direction) - numerical[0]) < 1e-5 * max(abs(numerical[0]), 0.01 * scale))
    }
  }

  /// Scores far apart: the softmax must neither overflow nor give NaN.
  @Test func extremeScores() {
    var random = SeededGenerator(seed: 26)
    let (heads, plan) = (Heads(count: 2, keyValueCount: 1, size: 8), Self.branchingPlan())
    let reference = Reference(
      heads: heads, plan: plan, kept: random.gaussians(Self.keptCount * 2 * heads.size).map { 100 * $0 })
    let packed = random.gaussians(plan.rowCount * reference.stride).map { 100 * $0 }
    let dOutput = random.gaussians(plan.rowCount * reference.querySize)
    let found = run(reference, packed: packed, dOutput: dOutput)
    #expect(relativeError(found.output, reference.output(packed)) < 1e-4)
    #expect(found.dPacked.allSatisfy { $0.isFinite })
  }
}
