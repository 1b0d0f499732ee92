import LinearAlgebra
import Tensors
import WeightPatch

/// How far a batch is to be compacted.
public enum CompactionExtent: Sendable, Equatable {
  /// To the smallest rank that loses no more than this share of D.
  case tolerance(Double)
  /// To this many terms.
  case rank(Int)
}

extension PatchFile {
  /// The patch with its batches cut to a smaller rank, the same for all tensors of a batch: the largest that one of
  /// them needs. Terms then belong to no single fact, so that the batch cannot be solved again. A batch that needs all
  /// its terms stays as it is, except for how it is stored.
  ///
  /// The tolerance is for what the smaller rank leaves out, before the factors are rounded; the manifest records both
  /// (`compaction` and `delta_error`).
  ///
  /// - Parameters:
  ///   - norm: the measure in which the change of smaller rank is the nearest one.
  ///   - types: how to store the factors; nil leaves batches that keep their terms as they are. Automatic, and nil for
  ///     those that are cut: the narrowest of float16 and float32 whose rounding costs less than a thousandth of D, and
  ///     less than a tenth of the tolerance.
  ///   - batch: which batch; nil for all.
  /// - Throws: an `ErrataError` if there is no such batch, if it has corrections, if the patch does not tell the norm,
  ///   or if no batch would have fewer terms.
  public func compacted(
    to extent: CompactionExtent, in norm: CompactionNorm, as types: FactorTypes? = nil, batch: Int? = nil
  ) throws -> DerivedPatch {
    let chosen = try batchIndices(batch)
    try checkHasNoCorrections(chosen)
    var isCompacted = false
    let batches = try patch.batches.indices.map { index in
      guard chosen.contains(index) else { return (patch.batches[index], patch.manifest.batches[index]) }
      if let compacted = try compacted(batch: index, to: extent, in: norm, as: types ?? .automatic) {
        isCompacted = true
        return compacted
      }
      return try types.map { try stored(batch: index, as: $0) }
        ?? (patch.batches[index], patch.manifest.batches[index])
    }
    guard isCompacted else {
      throw ErrataError.nothingToCompact(path, extent, norm, terms: chosen.map { patch.batches[$0].factCount })
    }
    let place = batch.map { "batch \($0) " } ?? ""
    let storage = types.map { ", stored as \($0)" } ?? ""
    let change =
      switch extent {
      case .tolerance(let tolerance): "\(place)compacted to tolerance \(tolerance) of \(norm.rawValue)\(storage)"
      case .rank(let rank): "\(place)compacted to rank \(rank) by \(norm.rawValue)\(storage)"
      }
    return DerivedPatch(from: self, batches: batches, change: change)
  }

  /// - Returns: nil if the batch would keep all its terms.
  private func compacted(
    batch index: Int, to extent: CompactionExtent, in norm: CompactionNorm, as types: FactorTypes
  ) throws -> (EditBatch, Manifest.Batch)? {
    var description = patch.manifest.batches[index]
    let tensors = patch.batches[index].tensors
    let systems: [(system: CompactionSystem, decomposition: SingularValueDecomposition)]
    do {
      systems = try tensors.map { factors in
        let ridge = description.ridge(of: factors.name)
        let system = try CompactionSystem(
          factors, terms: description.terms, metric: description.metric, ridge: ridge)
        guard let decomposition = try system.decomposition(in: norm) else {
          guard description.terms == .facts, factors.gram != nil else {
            throw ErrataError.normWithoutGram(path, index, factors.name, norm)
          }
          guard description.tellsOfText(factors) else {
            throw ErrataError.metricWithoutText(path, index, factors.name)
          }
          throw ridge == nil
            ? ErrataError.normWithoutRidge(path, index, factors.name)
            : ErrataError.ridgeDoesNotFit(path, index, factors.name)
        }
        return (system, decomposition)
      }
    } catch is SingularValueDecomposition.NotConverged {
      throw ErrataError.notDecomposed(path, index)
    }
    let rank =
      switch extent {
      case .rank(let rank): rank
      case .tolerance(let tolerance): systems.map { $0.decomposition.rank(tolerance: tolerance) }.max()!
      }
    guard rank < patch.batches[index].factCount else { return nil }
    var tolerance = FactorTypes.tolerance
    if case .tolerance(let wanted) = extent { tolerance = min(tolerance, wanted / 10) }
    let compacted = try zip(tensors, systems).map { factors, system in
      let cut = system.system.cut(to: rank, system.decomposition)
      let (left, right) = try ComponentStorage.store(cut, types: types, tolerance: tolerance)
      let result = LowRankFactors(name: factors.name, isTransposed: factors.isTransposed, left: left, right: right)
      var figures = description.tensors[factors.name] ?? Manifest.TensorFigures()
      figures.update(from: factors, to: result, cut, norm, extent, description, text: system.system.text)
      description.tensors[factors.name] = figures
      return result
    }
    description.terms = .components
    return (EditBatch(tensors: compacted), description)
  }
}

/// How components are stored: their left factor has orthonormal columns, so that rounding is not multiplied by anything
/// and the Frobenius norm measures it.
private enum ComponentStorage {
  /// - Parameter tolerance: what automatic types may cost, as a share of |D'|.
  static func store(
    _ cut: CompactionSystem.Cut, types: FactorTypes, tolerance: Double
  ) throws -> (left: StoredFactor, right: StoredFactor) {
    let (left, right) = (cut.left.narrowed(), cut.right.narrowed())
    guard right.elements.allSatisfy(\.isFinite) else { throw ErrataError.factorsNotFinite }
    return try types.choose(from: [(.f16, .f16), (.f32, .f32)], tolerance: tolerance) {
      leftType, rightType -> FactorTypes.Choice<(left: StoredFactor, right: StoredFactor)>? in
      let left = StoredFactor(left, dtype: leftType, facts: .columns)
      let right = StoredFactor(right, dtype: rightType, facts: .rows)
      guard let leftValues = left.values(facts: .columns), let rightValues = right.values(facts: .rows) else {
        return nil
      }
      let error = relativeDifference(
        of: (leftValues.widened(), rightValues.widened()), from: (cut.left, cut.right))
      return ((left, right), error)
    }.stored
  }
}

extension Manifest.TensorFigures {
  /// What is known of a tensor's change once it is cut to a smaller rank.
  fileprivate mutating func update(
    from factors: LowRankFactors, to result: LowRankFactors, _ cut: CompactionSystem.Cut, _ norm: CompactionNorm,
    _ extent: CompactionExtent, _ batch: Manifest.Batch, text: Matrix<Double>?
  ) {
    var asked: Double?
    if case .tolerance(let tolerance) = extent { asked = tolerance }
    compaction = Manifest.Compaction(
      norm: norm.rawValue, tolerance: asked, terms: factors.rank, weightsError: cut.errors[.weights]!,
      textError: cut.errors[.text], factsError: cut.errors[.facts], worstFactError: cut.worstFact)
    deltaError = result.relativeDifference(from: factors)
    deltaNorm = result.deltaNorm(using: .blas)
    // At the keys only the rank is accounted for, not the rounding of the right factor: that takes the keys.
    storageError = nil
    (preservation, memorization, ridge) = (nil, nil, nil)
    guard batch.terms == .facts, let gram = factors.gram else { return }
    let system = GramSystem(
      left: factors.leftValues()!.widened(), gram: gram, slack: batch.slack(of: factors.name))
    // P^T A: the factor that stands before B.
    let kept = cut.left.multiplied(.transposed, by: factors.leftValues()!.widened())
    let atKeys = kept.multiplied(by: gram)
    ridge = batch.tensors[factors.name]?.ridge
    // Without the ridge it is at most that of text and ridge together.
    let known = text ?? (batch.tellsOfText(factors) ? gram : nil)
    preservation = known.map { congruenceTrace(kept, $0, using: .blas) }
    let short = atKeys.multiplied(.transposed, by: cut.left, .transposed).subtracting(system.residuals)
    memorization = short.largestRow(inUnitsOf: system.residuals.rowNorms())
  }
}
