import PatchAlgebra
import Tensors
import WeightPatch

extension EditComputation {
  /// What the manifest says about a batch.
  func describe(
    digest: Digest, facts: [Manifest.Fact], figures: [ByteString: Manifest.TensorFigures], keyForm: KeyForm
  ) -> Manifest.Batch {
    let isROME = settings.method == .rome
    let isEMMET = settings.method == .emmet
    let isOfGoal = settings.slackGoal != nil
    var batch = Manifest.Batch(
      digest: digest,
      method: Manifest.Method(
        name: settings.method.rawValue, lambda: lambdas.values.max() ?? settings.slack(factCount: facts.count),
        alpha: isEMMET && !isOfGoal ? settings.alpha : nil,
        secondMomentWeight: isROME || isOfGoal ? nil : settings.secondMomentWeight,
        layers: settings.layers,
        hyperparameters: Manifest.Hyperparameters(
          learningRate: settings.learningRate, steps: settings.steps, clampNormFactor: settings.clampNormFactor,
          weightDecay: settings.weightDecay, klFactor: settings.klFactor, stopLoss: settings.stopLoss,
          seed: Int(truncatingIfNeeded: settings.seed), templates: templates.templates,
          keyForm: isROME && settings.usesPublishedROME
            ? Manifest.Hyperparameters.publishedROMEKeyForm : keyForm.rawValue,
          lossLayer: model.architecture.layerCount - 1, ridge: settings.ridge > 0 ? settings.ridge : nil)),
      facts: facts,
      statistics: Manifest.Statistics(
        digest: statistics.digest, tokenCount: statistics.tokenCount, corpus: statistics.origin.corpus,
        corpusDigest: statistics.origin.corpusDigest),
      tensors: figures)
    batch.metric = metric
    return batch
  }

  /// SHA-256 of every edited tensor with all batches, those of the foundation too, applied exactly to the base.
  public func resultDigests() throws -> [ByteString: Digest] { try weights.resultDigests() }

  /// Lets the model's decoder compute with the weights that the edit began with.
  public func withdraw() throws { try weights.withdraw() }

  /// Makes the batches, which are those of `patch`, a part of the model that the next edit is computed on.
  func keep(as patch: Patch) { weights.keep(as: patch) }

  /// The patches that the edit is computed on top of.
  public var parents: [Manifest.Parent] { weights.foundation.parents }

  /// Whether a patch says that it was computed from these facts as this computation would: on the same base and
  /// parents, with the same settings and statistics.
  public func isResult(_ manifest: Manifest, of facts: [Manifest.Fact]) throws -> Bool {
    let found = manifest.batches.flatMap(\.facts).map(\.identifier)
    try hold(besides: facts)
    let wanted = facts.map(\.identifier)
    let isComplete = settings.dropsDependentFacts ? Set(found).isSubset(of: wanted) : found == wanted
    return try isComplete && manifest.parents == parents && manifest.base == describeBase()
      && manifest.batches.allSatisfy { batch in
        var own = describe(
          digest: batch.digest, facts: batch.facts, figures: batch.tensors,
          keyForm: settings.method == .rome ? .flatMean : .meanOfGroupMeans)
        // What a goal makes of the facts is known when they are solved.
        if settings.slackGoal != nil { own.method.slack = batch.method.slack }
        return batch.method == own.method
          && batch.metric?.withoutDigestOfProtected == own.metric?.withoutDigestOfProtected
          && batch.statistics == own.statistics
      }
  }

  /// What the manifest says about the model that the edit was computed on.
  public func describeBase() throws -> Manifest.Base {
    var tensors: [ByteString: Manifest.BaseTensor] = [:]
    for layer in settings.layers {
      let name = model.decoder.editedTensor(layer)
      let tensor = try model.checkpoint.tensor(named: name)
      tensors[name] = Manifest.BaseTensor(
        dtype: tensor.dtype, shape: tensor.shape, isTransposed: model.architecture.storesTransposed,
        digest: try weights.foundation.checkpoint.baseDigest(of: name))
    }
    return Manifest.Base(
      name: model.name, architecture: model.architecture.family, configuration: model.decoder.configuration.digest,
      tokenizer: model.tokenizer.digest, tensors: tensors)
  }
}

extension Manifest.Metric {
  /// The keys of protected subjects are not measured again to compare two metrics; their number is compared.
  fileprivate var withoutDigestOfProtected: Manifest.Metric {
    var metric = self
    for index in held.indices where held[index].protected != nil { metric.held[index].protected = Digest(of: []) }
    return metric
  }
}
