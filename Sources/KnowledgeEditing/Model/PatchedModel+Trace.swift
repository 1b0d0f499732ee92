import Facts
import Tensors
import Transformer
import WeightPatch

/// A batch on a model, and where it comes from.
public struct TracedBatch: Sendable {
  public let description: Manifest.Batch
  /// The patch ID.
  public let patch: Digest
  /// The name of the file that the patch came in.
  public let patchName: String
  /// The position in the patch.
  public let index: Int
  /// The number of its terms.
  public let termCount: Int

  init(description: Manifest.Batch, patch: Digest, patchName: String, index: Int, termCount: Int) {
    (self.description, self.patch, self.patchName) = (description, patch, patchName)
    (self.index, self.termCount) = (index, termCount)
  }

  /// A batch of components that is in no patch.
  ///
  /// - Parameters:
  ///   - digest: of the file that it was read from.
  ///   - name: the file's.
  package init(_ batch: EditBatch, method: String, digest: Digest, name: String) {
    self.init(
      description: Manifest.Batch(
        digest: batch.digest(), terms: .components, method: Manifest.Method(name: method, lambda: 0, layers: []),
        facts: []),
      patch: digest, patchName: name, index: 0, termCount: batch.factCount)
  }
}

/// What some prompts show of the edits on a model.
public struct TraceResult {
  /// In the order in which their patches were applied.
  public let batches: [TracedBatch]
  /// The edited tensors of which nothing can be said; see `EditTrace`.
  public let untraced: [ByteString]
  public let prompts: [PromptTrace]
}

/// What one prompt shows.
public struct PromptTrace {
  public let prompt: String
  public let tokens: [Int32]
  /// In ascending order of layer, then of batch.
  public let firings: [EditTrace.Firing]
  /// Of the token after the prompt.
  public let next: TokenDistribution
  /// Of the same without any patch; nil if that cannot be computed, because patches on the checkpoint edit more than
  /// down-projections.
  public let nextWithout: TokenDistribution?
}

extension PatchedModel {
  /// Says which edits fire on prompts, at which token, and how strongly. The decoder computes with the patches or
  /// without any afterwards.
  ///
  /// - Parameter beside: batches that are in no patch, as of an adapter; what they say is added beside the weights, in
  ///   float32.
  /// - Throws: an `ErrataError` if a prompt is empty or does not fit the model, if nothing that is on it can be traced,
  ///   or if it computes what is not finite.
  package func trace(_ prompts: [String], beside: [(traced: TracedBatch, batch: EditBatch)] = []) throws -> TraceResult
  {
    let model = try model()
    let tokenization = PromptTokenization(model.tokenizer)
    let inputs = try prompts.map { prompt in
      let tokens = try tokenization.prompt(prompt)
      // The token that every prompt begins with is no prompt.
      guard !prompt.isEmpty, !tokens.isEmpty else { throw ErrataError.emptyPrompt(prompt) }
      return tokens
    }
    var (traced, batches) = try tracedBatches()
    traced += beside.map(\.traced)
    batches += beside.map(\.batch)
    let trace = try EditTrace(model.decoder, batches: batches)
    if trace.isEmpty, !trace.untraced.isEmpty { throw ErrataError.nothingTraced(checkpoint.path, trace.untraced) }
    try compute()
    for factors in beside.flatMap(\.batch.tensors) {
      // Made from finite values.
      let term = LowRankTerm(left: factors.leftValues()!, right: factors.rightValues()!)
      model.decoder.add(term, to: factors.name)
    }
    defer { model.decoder.removeTerms() }
    let results = try inputs.map { try trace.run($0) }
    model.decoder.removeTerms()
    let isBaseKnown = try computeBase()
    let answers = try zip(zip(prompts, inputs), results).map { input, result in
      PromptTrace(
        prompt: input.0, tokens: input.1, firings: result.firings, next: result.next,
        nextWithout: isBaseKnown ? try EditTrace.next(model.decoder, after: input.1) : nil)
    }
    return TraceResult(batches: traced, untraced: trace.untraced, prompts: answers)
  }

  /// Every batch once, in the order of the patches. (Two patches may carry the same.)
  private func tracedBatches() throws -> ([TracedBatch], [EditBatch]) {
    var missing = Dictionary(uniqueKeysWithValues: batches.members.map { ($0.digest, $0) })
    var result: ([TracedBatch], [EditBatch]) = ([], [])
    for (file, entry) in zip(plan.patches, plan.entries) {
      for (index, description) in file.manifest.batches.enumerated() {
        guard let member = missing.removeValue(forKey: description.digest) else { continue }
        let batch = EditBatch(tensors: try member.tensors.map { try member.factors(of: $0) })
        result.0.append(
          TracedBatch(
            description: description, patch: entry.patch, patchName: entry.name, index: index,
            termCount: batch.factCount))
        result.1.append(batch)
      }
    }
    return result
  }
}
