import LinearAlgebra
import Tensors
import WeightPatch

extension PatchFile {
  /// Solves a batch again, without the model.
  ///
  /// - Parameters:
  ///   - index: which batch.
  ///   - kept: the facts to keep, by position; nil for all.
  ///   - slack: nil for the lambda that the batch records. (A batch of EMMET that comes down to one fact keeps it too: the
  ///     method's rule of zero for one fact is for an edit that asks for it.)
  /// - Throws: an `ErrataError` if the batch cannot be solved again.
  func solvedAgain(
    batch index: Int, keeping kept: [Int]? = nil, slack: Slack? = nil
  ) throws -> (batch: EditBatch, description: Manifest.Batch) {
    var description = patch.manifest.batches[index]
    let systems = try systems(ofBatch: index)
    let kept = kept ?? Array(description.facts.indices)
    description.facts = kept.map { description.facts[$0] }
    slack?.update(&description.method, factCount: kept.count)
    let lambda = description.method.lambda
    let tensors = try zip(patch.batches[index].tensors, systems).map { factors, system in
      let (solved, error) = try factors.solvedAgain(system, keeping: kept) { system throws(ErrataError) in
        do { return try system.left(lambda: lambda) } catch { throw .singularSystem(path, index, lambda: lambda) }
      }
      var figures = description.tensors[factors.name] ?? Manifest.TensorFigures()
      figures.deltaNorm = solved.deltaNorm(product)
      figures.preservation = solved.preservation(ridge: description.ridge(of: factors.name) ?? 0, product)
      figures.memorization = solved.worstMemorization(lambda: lambda, product)
      figures.storageError = error
      description.tensors[factors.name] = figures
      return solved
    }
    return (EditBatch(tensors: tensors), description)
  }

  /// The systems of a batch's tensors, in their order.
  ///
  /// - Throws: an `ErrataError` if the batch's terms are not facts, or if it does not carry G.
  func systems(ofBatch index: Int) throws -> [GramSystem] {
    let description = patch.manifest.batches[index]
    guard description.terms == .facts else { throw ErrataError.batchOfComponents(path, index) }
    return try patch.batches[index].tensors.map { factors in
      guard let gram = factors.gram else { throw ErrataError.batchWithoutGram(path, index, factors.name) }
      // A patch that was read has finite values.
      let system = GramSystem(left: factors.leftValues()!.widened(), gram: gram, lambda: description.method.lambda)
      guard system.residuals.elements.allSatisfy(\.isFinite) else {
        throw ErrataError.residualsNotFinite(path, index, factors.name, lambda: description.method.lambda)
      }
      return system
    }
  }
}

extension LowRankFactors {
  /// - Parameter solve: gives A, d_out x E', of the system that remains.
  /// - Returns: the factors, and what storing them costs at the keys.
  fileprivate func solvedAgain(
    _ system: GramSystem, keeping kept: [Int], solve: (GramSystem) throws -> Matrix<Double>
  ) throws -> (factors: LowRankFactors, error: Double) {
    let system = system.keeping(kept)
    let right = right.facts(at: kept)
    let keys = keys?.facts(at: kept)
    // K and B both have finite values, and so has their product.
    let storedAtKeys = keys?.values(facts: .rows).flatMap { keys in
      right.values(facts: .rows)?.widened().multiplied(by: keys.widened(), .transposed)
    }
    let storage = try LeftStorage(solve(system), of: system, storedAtKeys: storedAtKeys)
    let factors = LowRankFactors(
      name: name, isTransposed: isTransposed, left: storage.left, right: right, gram: system.gram, keys: keys)
    return (factors, storage.error)
  }
}
