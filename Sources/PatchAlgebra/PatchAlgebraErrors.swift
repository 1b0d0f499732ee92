import Safetensors
import Tensors
import WeightPatch

/// What keeps a patch from being solved again, in words. `source` is the patch's path.
extension ErrataError {
  static func noSuchBatch(_ source: String, _ batch: Int, count: Int) -> ErrataError {
    ErrataError(
      .usage, source,
      "has no batch \(batch): it has \(count == 1 ? "one, batch 0" : "\(count), batches 0 to \(count - 1)")")
  }

  static func batchIsHeld(_ source: String, _ batch: Int, by holder: Int) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(holder) holds the keys of batch \(batch) and was solved with it in place: batch \(batch) cannot be "
        + "solved again alone", remedy: "edit the facts of both anew")
  }

  static func metricWithoutText(_ source: String, _ batch: Int, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) was solved in a metric that does not tell what its change of \(tensor) does to ordinary text, "
        + "and the patch does not carry that", remedy: "measure it on the model")
  }

  static func batchOfComponents(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source,
      "the terms of batch \(batch) belong to no single fact (it was compacted, or is a difference): it "
        + "cannot be solved again",
      remedy: "use the patch that it was made from")
  }

  static func batchWithoutGram(_ source: String, _ batch: Int, _ tensor: ByteString) -> ErrataError {
    ErrataError(.general, source, "batch \(batch) carries no Gram matrix for \(tensor): it cannot be solved again")
  }

  static func noOutputPower(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) does not record what ordinary text makes of its weights, which a budget is a share of",
      remedy: .giveSlack)
  }

  static func residualsNotFinite(
    _ source: String, _ batch: Int, _ tensor: ByteString, lambda: Double
  ) -> ErrataError {
    ErrataError(
      .damagedInput, source,
      "the residuals of batch \(batch) (\(tensor)) are not finite: its lambda, \(lambda), or its Gram matrix "
        + "are not those that its factors were solved with")
  }

  static func ridgeDoesNotFit(_ source: String, _ batch: Int, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .damagedInput, source,
      "the ridge of batch \(batch) (\(tensor)) is larger than its Gram matrix allows: it is not the one that "
        + "its factors were made with")
  }

  static func singularSystem(_ source: String, _ batch: Int, lambda: Double) -> ErrataError {
    ErrataError(
      .general, source,
      "the keys of batch \(batch) depend on one another, so that there is no solution at lambda \(lambda)",
      remedy: "use a larger lambda, or drop facts")
  }

  static func factNotFound(_ source: String, _ text: String) -> ErrataError {
    ErrataError(.general, source, "has no fact '\(text)'", remedy: .nameFact)
  }

  static func factAmbiguous(_ source: String, _ text: String, _ identifiers: [String]) -> ErrataError {
    ErrataError(
      .general, source, "'\(text)' could be \(identifiers.joined(separator: " or "))",
      remedy: "give more digits of the ID")
  }

  static func nothingLeft(_ source: String) -> ErrataError {
    ErrataError(.general, source, "no fact would remain, and a patch cannot be empty")
  }

  static func resultNeedsParents(_ sources: [String]) -> ErrataError {
    ErrataError(
      .conflict, sources,
      "\(sources.count == 1 ? "was" : "were") computed on top of other patches, so that the result does not "
        + "follow from the base alone",
      remedy: .leaveOutBase)
  }

  // MARK: Compaction

  static func normWithoutGram(
    _ source: String, _ batch: Int, _ tensor: ByteString, _ norm: CompactionNorm
  ) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) has no terms of facts with a Gram matrix for \(tensor), which the norm of "
        + "\(norm.rawValue) takes",
      remedy: .weightNorm)
  }

  static func normWithoutRidge(_ source: String, _ batch: Int, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, source,
      "batch \(batch) records its ridge as a share only, so that what its change of \(tensor) does to "
        + "ordinary text is not known",
      remedy: .factOrWeightNorm)
  }

  static func notDecomposed(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(.general, source, "the factors of batch \(batch) have no singular values: their numbers are too large")
  }

  /// - Parameter terms: how many each of the batches has.
  static func nothingToCompact(
    _ source: String, _ extent: CompactionExtent, _ norm: CompactionNorm, terms: [Int]
  ) -> ErrataError {
    let terms = terms.count == 1 ? "\(terms[0])" : "\(terms.min()!) to \(terms.max()!)"
    return switch extent {
    case .tolerance(let tolerance):
      ErrataError(
        .general, source, "all terms (\(terms)) are needed for a tolerance of \(tolerance) by \(norm.rawValue)",
        remedy: .allowMore)
    case .rank(let rank):
      ErrataError(.general, source, "has no batch of more than \(rank) terms (\(terms))", remedy: .smallerRank)
    }
  }

  static func storedAlready(_ source: String, _ types: FactorTypes) -> ErrataError {
    ErrataError(.general, source, "its factors are stored so already (\(types)); there is nothing to write")
  }

  static func factorsWithCorrection(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, source, "batch \(batch) has corrections, which fit its factors as they are",
      remedy: .makeDifferenceAgain)
  }

  // MARK: Differences

  /// - Parameter places: those of the two checkpoints in which it is so.
  static func differenceNotFinite(_ places: [String], _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, places, "\(tensor) has NaN or infinity in it, and no patch can hold that",
      remedy: .leaveOutTensor)
  }

  /// - Parameter leftOut: what no patch can hold, with the reasons.
  static func differenceNotCommon(_ base: String, _ target: String, _ leftOut: [ByteString: String]) -> ErrataError {
    let names = leftOut.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
    return ErrataError(
      .general, [base, target], "no patch can hold how these differ: \(boundedList(names, most: 3))",
      remedy: .leaveOutTensors)
  }

  static func noLowRankDifference(_ base: String, _ target: String) -> ErrataError {
    ErrataError(
      .general, [base, target], "no matrix has a difference beyond rounding: nothing is left without a correction",
      remedy: .keepCorrection)
  }

  static func factorsTooLarge(_ first: String, _ second: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, [first, second], "the changes of \(tensor) are too large to be compared: their products overflow")
  }

  static func noDifference(_ base: String, _ target: String) -> ErrataError {
    ErrataError(.general, [base, target], "have the same tensors: there is nothing for a patch to do")
  }

  static func retypedTensor(
    _ first: String, _ second: String, _ before: TensorInfo, _ after: TensorInfo
  ) -> ErrataError {
    ErrataError(
      .general, before.name.description,
      "is \(before.dtype.rawValue) \(before.shape) in \(first) and \(after.dtype.rawValue) \(after.shape) in "
        + "\(second): a patch keeps type and shape",
      remedy: "convert one of them first")
  }
}
