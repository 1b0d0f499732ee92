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

  static func notTheBase(_ source: String, _ checkpoint: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .baseMismatch,
      "\(checkpoint): is not the base that \(source) was made for: \(tensor) differs; without --base the patch records no "
        + "result")
  }

  static func resultNeedsParents(_ source: String) -> ErrataError {
    ErrataError(
      .conflict,
      "\(source): was computed on top of other patches, so that its result does not follow from the base alone; leave out "
        + "--base")
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
}
