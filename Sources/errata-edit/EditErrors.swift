import EditEvaluation
import KnowledgeEditing
import Tensors

/// What `errata edit` says when it cannot go on.
extension ErrataError {
  static let publishedROMEOnly = ErrataError(.usage, "--published-rome goes with --method rome")

  static func interrupted(_ interruption: EditInterruption) -> ErrataError {
    // With none found there is no file to speak of.
    guard interruption.foundCount > 0, let archive = interruption.archive else {
      return ErrataError(
        .general, "interrupted before the first values were complete", remedy: "run the same command to start again")
    }
    return ErrataError(
      .general,
      "interrupted with \(interruption.foundCount) of \(interruption.factCount) values found, kept in "
        + "\(archive)",
      remedy: "run the same command to continue")
  }

  static func interrupted(_ interruption: SequentialEdit.Interruption) -> ErrataError {
    ErrataError(
      .general,
      "interrupted after \(interruption.patchCount) of \(interruption.batchCount) patches, kept in "
        + "\(interruption.folder)",
      remedy: "run the same command to continue")
  }
}
