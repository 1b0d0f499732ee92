import LinearAlgebra
import Tensors
import WeightPatch

extension PatchFile {
  /// The patch with its factors in other types. Terms, facts and all that the batches answer stay.
  ///
  /// - Parameters:
  ///   - types: automatic: the narrowest of float16 and float32 that cost no more than a thousandth, of the residual of
  ///     any fact as far as the patch can tell, and of D.
  ///   - batch: which batch; nil for all.
  /// - Throws: an `ErrataError` if there is no such batch, if it has corrections, if the factors do not fit the types,
  ///   or if they are stored so already.
  public func stored(as types: FactorTypes, batch: Int? = nil) throws -> DerivedPatch {
    let chosen = try batchIndices(batch)
    try checkHasNoCorrections(chosen)
    let batches = try patch.batches.indices.map { index in
      chosen.contains(index)
        ? try stored(batch: index, as: types) : (patch.batches[index], patch.manifest.batches[index])
    }
    guard zip(batches, patch.manifest.batches).contains(where: { $0.0.digest() != $1.digest }) else {
      throw ErrataError.storedAlready(path, types)
    }
    let place = batch.map { "batch \($0) " } ?? ""
    return DerivedPatch(from: self, batches: batches, change: "\(place)stored as \(types)")
  }

  /// Corrections fit the factors that they were made with, bit for bit.
  func checkHasNoCorrections(_ chosen: Range<Int>) throws {
    for index in chosen where patch.batches[index].tensors.contains(where: { $0.correction != nil }) {
      throw ErrataError.factorsWithCorrection(path, index)
    }
  }

  /// One batch in other types.
  func stored(batch index: Int, as types: FactorTypes) throws -> (EditBatch, Manifest.Batch) {
    var description = patch.manifest.batches[index]
    let tensors = try patch.batches[index].tensors.map { factors in
      let storage = try FactorRounding(factors, types, description)
      guard storage.deltaError > 0 || storage.factors.left != factors.left || storage.factors.right != factors.right
      else { return factors }
      var figures = description.tensors[factors.name] ?? Manifest.TensorFigures()
      // What was lost before, and what is lost now: together no more than their sum.
      figures.storageError = figures.storageError.flatMap { before in storage.factsError.map { before + $0 } }
      figures.deltaError = (figures.deltaError ?? 0) + storage.deltaError
      if description.terms == .facts {
        figures.update(of: storage.factors, in: description)
      } else {
        figures.deltaNorm = storage.factors.deltaNorm(using: .blas)
      }
      description.tensors[factors.name] = figures
      return storage.factors
    }
    return (EditBatch(tensors: tensors), description)
  }
}

/// Factors in other types, and what that costs.
private struct FactorRounding {
  let factors: LowRankFactors
  /// |D' - D| / |D|, Frobenius.
  let deltaError: Double
  /// The largest over the facts of |(A' - A) B k_e| / |r_e|, with B K = G; nil if terms are not facts, or without G.
  let leftError: Double?
  /// The largest over the facts of |D' k_e - D k_e| / |r_e|; nil where the patch cannot tell, since B is rounded too
  /// and there are no keys.
  let factsError: Double?

  /// - Throws: an `ErrataError` if rounding to fixed types carries a value out of range.
  init(_ factors: LowRankFactors, _ types: FactorTypes, _ batch: Manifest.Batch) throws {
    self = try types.choose { left, right -> FactorTypes.Choice<Self>? in
      Self(factors, left, right, batch).map { ($0, [$0.deltaError, $0.leftError ?? 0, $0.factsError ?? 0].max()!) }
    }.stored
  }

  /// nil if rounding carries a value out of range.
  private init?(_ factors: LowRankFactors, _ leftType: DType, _ rightType: DType, _ batch: Manifest.Batch) {
    // A patch that was read has finite values.
    let (left, right) = (factors.leftValues()!, factors.rightValues()!)
    // What has the type already keeps its bytes.
    let stored = LowRankFactors(
      name: factors.name, isTransposed: factors.isTransposed,
      left: factors.left.dtype == leftType
        ? factors.left : StoredFactor(left, dtype: leftType, facts: .columns),
      right: factors.right.dtype == rightType
        ? factors.right : StoredFactor(right, dtype: rightType, facts: .rows),
      gram: factors.gram, keys: factors.keys, text: factors.text, heldProduct: factors.heldProduct)
    guard let storedLeft = stored.leftValues(), let storedRight = stored.rightValues() else { return nil }
    self.factors = stored
    deltaError = stored.relativeDifference(from: factors)
    guard batch.terms == .facts, let gram = factors.gram else {
      (leftError, factsError) = (nil, nil)
      return
    }
    let wide = left.widened()
    let norms = GramSystem(left: wide, gram: gram, slack: batch.slack(of: factors.name)).residuals.rowNorms()
    let leftError = storedLeft.widened().subtracting(wide).multiplied(by: gram).largestColumn(inUnitsOf: norms)
    self.leftError = leftError
    if storedRight == right {
      factsError = leftError
    } else if let keys = factors.keyValues()?.widened() {
      let before = wide.multiplied(by: right.widened().multiplied(by: keys, .transposed))
      let after = storedLeft.widened().multiplied(by: storedRight.widened().multiplied(by: keys, .transposed))
      factsError = after.subtracting(before).largestColumn(inUnitsOf: norms)
    } else {
      factsError = nil
    }
  }
}
