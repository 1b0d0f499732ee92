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
  /// Says which edits fire on prompts, at which token, and how strongly. The decoder computes with the patches or without any
  /// afterwards.
  ///
  /// - Throws: an `ErrataError` if a prompt is empty or does not fit the model, if nothing that is on it can be traced, or if
  ///   it computes what is not finite.
  public func trace(_ prompts: [String]) throws -> TraceResult {
    let model = try model()
    let tokenization = PromptTokenization(model.tokenizer)
    let inputs = try prompts.map { prompt in
      let tokens = try tokenization.prompt(prompt)
      // The token that every prompt begins with is no prompt.
      guard !prompt.isEmpty, !tokens.isEmpty else { throw ErrataError.emptyPrompt(prompt) }
      return tokens
    }
    let (traced, batches) = try tracedBatches()
    let trace = try EditTrace(model.decoder, batches: batches)
    if trace.isEmpty, !trace.untraced.isEmpty { throw ErrataError.nothingTraced(checkpoint.path, trace.untraced) }
    try compute()
    let results = try inputs.map { try trace.run($0) }
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
