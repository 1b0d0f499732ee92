import Facts
import KnowledgeEditing
import PatchAlgebra
import SecondMomentStatistics
import Tensors

/// A small search for an edit's layer, clamp and w, on facts whose scores are wanted: every combination is solved and
/// scored as `errata edit`, `apply` and `eval` would do, without a file being written.
///
/// Values are searched once for each layer and clamp, as w changes only what is solved from them.
public struct SettingSearch {
  /// The values that are tried.
  public struct Grid: Sendable {
    public let layers: [Int]
    public let clampNormFactors: [Double]
    public let secondMomentWeights: [Double]

    public init(layers: [Int], clampNormFactors: [Double], secondMomentWeights: [Double]) {
      self.layers = layers
      self.clampNormFactors = clampNormFactors
      self.secondMomentWeights = secondMomentWeights
    }

    public var count: Int { layers.count * clampNormFactors.count * secondMomentWeights.count }
  }

  public struct Trial: Sendable {
    public let settings: EditSettings
    public let scores: ScoreSummary
    /// The disturbance of ordinary text, tr(A G A^T), if the statistics allow as a share of the mean squared output.
    public let disturbance: Double?

    /// The harmonic mean of the scores decides, then the new targets' probability.
    public func isBetter(than other: Trial) -> Bool {
      (scores.harmonicMean ?? 0, scores.probabilityNew) > (other.scores.harmonicMean ?? 0, other.scores.probabilityNew)
    }
  }

  public let grid: Grid
  private let base: PatchedModel
  private let settings: EditSettings
  private let templates: ContextTemplates
  private let statistics: SecondMoments

  /// - Parameters:
  ///   - base: what edits are computed on.
  ///   - settings: those that the search leaves alone, and the method, which must be a batched one.
  /// - Throws: an `ErrataError` if a layer of the grid is not there or the statistics are not of it.
  public init(on base: PatchedModel, grid: Grid, settings: EditSettings, statistics: SecondMoments) throws {
    self.base = base
    self.grid = grid
    self.settings = settings
    self.statistics = statistics
    // An error now, not after the trials of the others.
    try base.model().check(layers: grid.layers)
    for layer in grid.layers { _ = try statistics.triangle(layer: layer) }
    try base.compute()
    templates = try ContextTemplates.sampled(from: base.model(), for: settings)
  }

  /// - Parameter onStep: called while values are searched, with the number of combinations done and a remark; false
  ///   stops.
  /// - Returns: a trial for every combination, in the order of the grid; nil if `onStep` said stop.
  /// - Throws: an `ErrataError`, as an edit would.
  public func run(
    _ records: [FactRecord], onStep: (Int, String) -> Bool = { _, _ in true }
  ) throws -> [Trial]? {
    let facts = records.map(\.fact)
    let scorer = FactScorer(try base.model())
    var trials: [Trial] = []
    for layer in grid.layers {
      // One factorization of C for the layer.
      var previous: EditComputation?
      for clamp in grid.clampNormFactors {
        var values: [String: FoundValue] = [:]
        for weight in grid.secondMomentWeights {
          var settings = self.settings
          (settings.layers, settings.clampNormFactor, settings.secondMomentWeight) = ([layer], clamp, weight)
          let computation = try EditComputation(
            on: base, settings: settings, templates: templates, statistics: statistics, sharingFactorsOf: previous)
          defer { try? base.compute() }
          previous = computation
          guard
            let batches = try computation.run(
              facts, values: values, onStep: { onStep(trials.count, $0.remark) },
              onFound: { found in for (fact, value) in found { values[fact] = value } })
          else { return nil }
          let figures = batches[0].description.tensors.values.first
          trials.append(
            Trial(
              settings: settings, scores: ScoreSummary(try scorer.score(records)),
              disturbance: figures.flatMap { figures in
                figures.preservation.flatMap { preservation in figures.outputPower.map { preservation / $0 } }
              }))
          guard onStep(trials.count, "layer \(layer)") else { return nil }
        }
      }
    }
    return trials
  }
}
