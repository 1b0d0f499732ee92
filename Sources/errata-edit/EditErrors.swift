import EditEvaluation
import KnowledgeEditing
import Tensors

/// What `errata edit` says when it cannot go on.
extension ErrataError {
  static let publishedROMEOnly = ErrataError(.usage, "--published-rome goes with --method rome")

  static func allFactsKnown(_ path: String) -> ErrataError {
    ErrataError(.usage, path, "the model knows all of these facts already; there is nothing to edit")
  }

  static let notForProcesses = ErrataError(
    .usage, "--batch-size, --part and --values are for one process, not for those of mpirun")

  static func interrupted(_ interruption: EditInterruption) -> ErrataError {
    ErrataError(
      .general,
      "interrupted with \(interruption.foundCount) of \(interruption.factCount) values found"
        + (interruption.archive.map { ", kept in \($0)" } ?? ""),
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
