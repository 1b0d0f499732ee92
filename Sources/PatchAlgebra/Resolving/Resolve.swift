import LinearAlgebra
import Tensors
import WeightPatch

extension PatchFile {
  /// The patch with its batches solved again at another slack. Each is solved for the residuals that it was solved for
  /// before: later layers and later batches do not learn of what the earlier ones now leave undone.
  ///
  /// - Parameter batch: which batch; nil for all.
  /// - Throws: an `ErrataError` if there is no such batch, or if it cannot be solved again.
  public func resolved(_ slack: Slack, batch: Int? = nil) throws -> DerivedPatch {
    let chosen = try batchIndices(batch)
    let batches = try patch.batches.indices.map { index in
      chosen.contains(index)
        ? try solvedAgain(batch: index, slack: slack) : (patch.batches[index], patch.manifest.batches[index])
    }
    let place = batch.map { "batch \($0) " } ?? ""
    return DerivedPatch(from: self, batches: batches, change: "\(place)solved again: \(slack)")
  }

  /// One batch, or all.
  func batchIndices(_ batch: Int?) throws -> Range<Int> {
    guard let batch else { return patch.batches.indices }
    guard patch.batches.indices.contains(batch) else {
      throw ErrataError.noSuchBatch(path, batch, count: patch.batches.count)
    }
    return batch..<batch + 1
  }

  /// Solves a batch again, without the model.
  ///
  /// - Parameters:
  ///   - index: which batch.
  ///   - kept: the facts to keep, by position; nil for all.
  ///   - slack: nil for the lambda that the batch records. (A batch of EMMET that comes down to one fact keeps it too:
  ///     the method's rule of zero for one fact is for an edit that asks for it.)
  /// - Throws: an `ErrataError` if the batch cannot be solved again.
  func solvedAgain(
    batch index: Int, keeping kept: [Int]? = nil, slack: Slack? = nil
  ) throws -> (batch: EditBatch, description: Manifest.Batch) {
    try checkIsNotHeld(index)
    var description = patch.manifest.batches[index]
    let systems = try systems(ofBatch: index)
    let kept = kept ?? Array(description.facts.indices)
    description.facts = kept.map { description.facts[$0] }
    description.method.slack = description.method.slack.keeping(kept)
    slack?.update(&description.method, factCount: kept.count)
    let tensors = try zip(patch.batches[index].tensors, systems).map { factors, system in
      let system = system.keeping(kept)
      var figures = description.tensors[factors.name] ?? Manifest.TensorFigures()
      figures.slack = slack == nil ? figures.slack?.keeping(kept) : nil
      description.tensors[factors.name] = figures
      let own = description.slack(of: factors.name)
      guard let left = try? system.left(slack: own) else {
        throw ErrataError.singularSystem(path, index, lambda: own.largest)
      }
      let (solved, error) = try system.factors(
        solution: left, right: factors.right.facts(at: kept), keys: factors.keys?.facts(at: kept),
        text: factors.text?.principalSubmatrix(at: kept), heldProduct: factors.heldProduct?.rows(at: kept),
        name: factors.name, isTransposed: factors.isTransposed)
      figures.update(of: solved, in: description)
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
      let slack = description.slack(of: factors.name)
      let system = GramSystem(left: factors.leftValues()!.widened(), gram: gram, slack: slack)
      guard system.residuals.elements.allSatisfy(\.isFinite) else {
        throw ErrataError.residualsNotFinite(path, index, factors.name, lambda: slack.largest)
      }
      return system
    }
  }
}
