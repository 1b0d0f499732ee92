import Foundation
import LinearAlgebra
import Safetensors
import Tensors
import WeightPatch

/// One tensor's difference as factors and, where it is to be exact, a correction.
struct FittedDifference {
  /// nil if there is nothing of low rank to take, and no correction for the rest.
  let factors: LowRankFactors?
  let figures: DifferenceFigures
  /// What the factors leave of D, |A B - D| / |D|, Frobenius; nil with a correction, which makes them exact.
  let missed: Double?

  /// A value of one of the tensors, or of both, is not finite.
  struct NotFinite: Error {
    let isBefore: Bool
    let isAfter: Bool
  }

  /// - Parameter isCorrected: whether there is a correction for every bit that the factors miss. Without, the rank is
  ///   that of what rounding does not explain, where none is asked for.
  /// - Throws: `NotFinite`.
  init(
    from before: StoredTensor, to after: StoredTensor, choice: DifferencePatch.RankChoice, isCorrected: Bool = true,
    rankLimit: Int
  ) throws {
    let difference = DifferenceMatrix(from: before, to: after)
    let figures = DifferenceFigures(difference)
    guard figures.isFinite == (true, true) else {
      throw NotFinite(isBefore: !figures.isFinite.before, isAfter: !figures.isFinite.after)
    }
    self.figures = figures
    let candidates = Self.candidates(difference, figures, choice, rankLimit: rankLimit, isCorrected: isCorrected)
    let pair = TensorPair(before: before, after: after)
    guard isCorrected else {
      factors = candidates[0].map { pair.factors($0, correction: nil) }
      // A candidate has finite values.
      let distance = factors.map {
        difference.distance(to: $0.leftValues()!.widened(), $0.rightValues()!.widened())
      }
      missed = figures.norm > 0 ? (distance ?? figures.norm) / figures.norm : 0
      return
    }
    missed = nil
    let chosen = try candidates.count == 1 ? candidates[0] : pair.cheapest(of: candidates)
    // A candidate can overflow where the sample did not see it. Without terms nothing can.
    do {
      factors = pair.factors(chosen, correction: try pair.correction(for: chosen))
    } catch  where chosen != nil {
      factors = pair.factors(nil, correction: try pair.correction(for: nil))
    }
  }

  /// A and B as they would be stored.
  struct Candidate {
    let left: StoredFactor
    let right: StoredFactor

    var byteCount: Int { left.bytes.count + right.bytes.count + (left.exponents == nil ? 0 : 2 * left.columns) }
  }

  /// Ways to take some components; nil stands for none of them.
  private static func candidates(
    _ difference: DifferenceMatrix, _ figures: DifferenceFigures, _ choice: DifferencePatch.RankChoice, rankLimit: Int,
    isCorrected: Bool
  ) -> [Candidate?] {
    guard difference.before.shape.extents.count == 2, figures.norm.isFinite, figures.norm > 0, rankLimit > 0 else {
      return [nil]
    }
    let rule: NumericalRank.Rule =
      switch choice {
      case .smallest: .rounding
      case .tolerance(let tolerance): .tolerance(tolerance)
      }
    let found: LeadingSingularVectors
    do {
      found = try LeadingSingularVectors(of: difference, figures, rule: rule, limit: rankLimit)
    } catch {
      return [nil]
    }
    let rank = min(NumericalRank.needed(found.values, of: figures, rule: rule) ?? found.values.count, rankLimit)
    // Float16 rounds an element of D by 2^-11 of its terms: too much only beside the finest weights.
    let types: [DType] = difference.before.dtype == .bf16 ? [.f16] : [.f16, .f32]
    guard choice == .smallest, isCorrected else { return [found.candidate(rank: rank, types.last!)] }
    let ranks = Set([0, 1, 2, 4, 8].filter { $0 < rank } + (1...8).map { (rank * $0 + 7) / 8 }).sorted()
    return ranks.flatMap { rank in rank == 0 ? [nil] : types.map { found.candidate(rank: rank, $0) } }
  }
}

extension LeadingSingularVectors {
  /// The first components, each factor with the root of the singular value; nil if there are none, or if they do not
  /// fit the type.
  fileprivate func candidate(rank: Int, _ dtype: DType) -> FittedDifference.Candidate? {
    guard rank > 0 else { return nil }
    var left = self.left.firstColumns(rank)
    var right = self.right.rows(at: Array(0..<rank))
    for component in 0..<rank {
      let root = values[component].squareRoot()
      for row in 0..<left.rows { left[row, component] *= root }
      for column in 0..<right.columns { right[component, column] *= root }
    }
    let (storedLeft, storedRight) = (
      StoredFactor(left.narrowed(), dtype: dtype, facts: .columns),
      StoredFactor(right.narrowed(), dtype: dtype, facts: .rows)
    )
    guard storedLeft.values(facts: .columns) != nil, storedRight.values(facts: .rows) != nil else { return nil }
    return FittedDifference.Candidate(left: storedLeft, right: storedRight)
  }
}

/// A tensor of the base and the one that it is to become.
private struct TensorPair {
  let before: StoredTensor
  let after: StoredTensor

  private static let sampleCount = 48
  private static let sampleLength = 4096
  private static let chunkLength = 1 << 17

  func factors(_ candidate: FittedDifference.Candidate?, correction: StoredCorrection?) -> LowRankFactors {
    guard let candidate else {
      return LowRankFactors(
        name: before.name, shape: before.shape, correction: correction ?? StoredCorrection.Builder().finish())
    }
    return LowRankFactors(
      name: before.name, isTransposed: false, left: candidate.left, right: candidate.right,
      correction: correction.flatMap { $0.count > 0 ? $0 : nil })
  }

  private func change(_ candidate: FittedDifference.Candidate?) throws -> TensorChange {
    let terms = candidate == nil ? [] : [factors(candidate, correction: nil)]
    return try TensorChange(terms, name: before.name, dtype: before.dtype, shape: before.shape)
  }

  /// The correction that makes the result exact.
  func correction(for candidate: FittedDifference.Candidate?) throws -> StoredCorrection {
    let change = try change(candidate)
    var builder = StoredCorrection.Builder()
    for start in stride(from: 0, to: change.elementCount, by: 2 * Self.chunkLength) {
      // Two at a time: the terms take most of the time, and memory is bounded.
      let end = min(start + 2 * Self.chunkLength, change.elementCount)
      let middle = start + (end - start) / 2
      let halves = [start..<middle, middle..<end]
      let steps = try Threads.map(0..<halves.count) {
        try change.steps(halves[$0], from: before.bytes, to: after.bytes)
      }
      for step in steps.joined() { builder.append(step) }
      before.release(start..<end)
      after.release(start..<end)
    }
    return withExtendedLifetime((before, after)) { builder.finish() }
  }

  /// The candidate that takes the fewest bytes together with its correction, as far as a sample of the elements tells.
  func cheapest(of candidates: [FittedDifference.Candidate?]) throws -> FittedDifference.Candidate? {
    let count = before.info.elementCount
    let length = min(Self.sampleLength, count)
    let starts = Set((0..<Self.sampleCount).map { (count - length) * $0 / (Self.sampleCount - 1) }).sorted()
    let byteCounts = try Threads.map(0..<candidates.count) { index -> Double in
      let change = try change(candidates[index])
      var estimate = StepEntropy()
      for start in starts {
        // A candidate that overflows is none.
        guard let steps = try? change.steps(start..<start + length, from: before.bytes, to: after.bytes) else {
          return .infinity
        }
        for step in steps { estimate.append(step) }
      }
      return Double(candidates[index]?.byteCount ?? 0) + estimate.bitsPerElement / 8 * Double(count)
    }
    let best = byteCounts.indices.min { byteCounts[$0] < byteCounts[$1] }!
    return withExtendedLifetime((before, after)) { candidates[best] }
  }
}

/// How many bits steps take: the entropy of their number of digits, and the digits themselves, which are noise.
private struct StepEntropy {
  private var countsByDigits = [Int](repeating: 0, count: 33)
  private var count = 0

  mutating func append(_ step: Int32) {
    countsByDigits[32 - step.magnitude.leadingZeroBitCount] += 1
    count += 1
  }

  var bitsPerElement: Double {
    countsByDigits.enumerated().reduce(0) { sum, entry in
      guard entry.element > 0 else { return sum }
      let share = Double(entry.element) / Double(count)
      // The leading digit is known; the sign is not.
      return sum + share * (log2(1 / share) + Double(entry.offset))
    }
  }
}
