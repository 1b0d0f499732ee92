import Safetensors
import Tensors
import WeightPatch

/// What keeps a patch from being solved again, in words. `source` is the patch's path.
extension ErrataError {
  static func noSuchBatch(_ source: String, _ batch: Int, count: Int) -> ErrataError {
    ErrataError(
      .usage,
      "\(source): has no batch \(batch): it has \(count == 1 ? "one, batch 0" : "\(count), batches 0 to \(count - 1)")")
  }

  static func batchOfComponents(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(source): the terms of batch \(batch) belong to no single fact (it was compacted, or is a difference): it cannot be "
        + "solved again; use the patch that it was made from")
  }

  static func batchWithoutGram(_ source: String, _ batch: Int, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(source): batch \(batch) carries no Gram matrix for \(tensor): it cannot be solved again")
  }

  static func singularSystem(_ source: String, _ batch: Int, lambda: Double) -> ErrataError {
    ErrataError(
      .general,
      "\(source): the keys of batch \(batch) depend on one another, so that there is no solution at lambda \(lambda): use a "
        + "larger lambda, or drop facts")
  }

  static func factNotFound(_ source: String, _ text: String) -> ErrataError {
    ErrataError(
      .general,
      "\(source): has no fact '\(text)': give an ID, its first digits (four at least) or the exact subject, as 'errata show' "
        + "lists them")
  }

  static func factAmbiguous(_ source: String, _ text: String, _ identifiers: [String]) -> ErrataError {
    ErrataError(
      .general, "\(source): '\(text)' could be \(identifiers.joined(separator: " or ")): give more digits of the ID")
  }

  static func nothingLeft(_ source: String) -> ErrataError {
    ErrataError(.general, "\(source): no fact would remain, and a patch cannot be empty")
  }

  static func resultNeedsParents(_ sources: [String]) -> ErrataError {
    ErrataError(
      .conflict,
      "\(sources.joined(separator: " and ")): \(sources.count == 1 ? "was" : "were") computed on top of other patches, so that "
        + "the result does not follow from the base alone; leave out --base")
  }

  // MARK: Compaction

  static func normWithoutGram(
    _ source: String, _ batch: Int, _ tensor: ByteString, _ norm: CompactionNorm
  ) -> ErrataError {
    ErrataError(
      .general,
      "\(source): batch \(batch) has no terms of facts with a Gram matrix for \(tensor), which the norm of \(norm.rawValue) "
        + "takes: use --norm weights")
  }

  static func notDecomposed(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general, "\(source): the factors of batch \(batch) have no singular values: their numbers are too large")
  }

  /// - Parameter terms: how many each of the batches has.
  static func nothingToCompact(
    _ source: String, _ extent: CompactionExtent, _ norm: CompactionNorm, terms: [Int]
  ) -> ErrataError {
    let terms = terms.count == 1 ? "\(terms[0])" : "\(terms.min()!) to \(terms.max()!)"
    return switch extent {
    case .tolerance(let tolerance):
      ErrataError(
        .general,
        "\(source): all terms (\(terms)) are needed for a tolerance of \(tolerance) by \(norm.rawValue): allow more, or "
          + "store them narrower with --factors alone")
    case .rank(let rank):
      ErrataError(.general, "\(source): has no batch of more than \(rank) terms (\(terms)): give a smaller --rank")
    }
  }

  static func storedAlready(_ source: String, _ types: FactorTypes) -> ErrataError {
    ErrataError(.general, "\(source): its factors are stored so already (\(types)); there is nothing to write")
  }

  static func factorsWithCorrection(_ source: String, _ batch: Int) -> ErrataError {
    ErrataError(
      .general,
      "\(source): batch \(batch) has corrections, which fit its factors as they are: make the difference again with 'errata "
        + "diff' (--rank, --tolerance or --no-correction), or give --compression-level alone")
  }

  // MARK: Differences

  static func differenceNotFinite(_ base: String, _ target: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(base), \(target): \(tensor) has a value that is not finite: its difference cannot be a patch")
  }

  static func noLowRankDifference(_ base: String, _ target: String) -> ErrataError {
    ErrataError(
      .general,
      "\(base), \(target): no matrix has a difference beyond rounding: nothing is left without a correction; leave out "
        + "--no-correction")
  }

  static func factorsTooLarge(_ first: String, _ second: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(first), \(second): the changes of \(tensor) are too large to be compared: their products overflow")
  }

  static func noDifference(_ base: String, _ target: String) -> ErrataError {
    ErrataError(.general, "\(base), \(target): have the same tensors: there is nothing for a patch to do")
  }

  static func tensorOfOneCheckpoint(_ having: String, _ lacking: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(lacking): does not have \(tensor), which \(having) has: a patch can neither add nor remove tensors")
  }

  static func retypedTensor(
    _ first: String, _ second: String, _ before: TensorInfo, _ after: TensorInfo
  ) -> ErrataError {
    ErrataError(
      .general,
      "\(before.name): is \(before.dtype.rawValue) \(before.shape) in \(first) and \(after.dtype.rawValue) \(after.shape) in "
        + "\(second): a patch keeps type and shape; convert one of them first")
  }

  static func differenceOfOtherType(_ path: String, _ tensor: ByteString, _ dtype: DType) -> ErrataError {
    ErrataError(
      .general, "\(path): \(tensor) differs and is \(dtype.rawValue): a patch can edit BF16, F16 and F32 tensors only")
  }
}
