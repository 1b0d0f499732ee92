import Tensors
import WeightPatch

/// What apply and revert say when they cannot go on.
extension ErrataError {
  // MARK: Undo records

  static func damagedUndoRecord(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "damaged undo record", cause: reason, remedy: "restore the base checkpoint from its source")
  }

  static func undoRecordVersion(_ path: String, _ version: UInt32) -> ErrataError {
    ErrataError(
      .damagedInput, path, "undo record of version \(version)", remedy: "this tool reads version 1: update errata")
  }

  // MARK: A checkpoint and a patch that do not fit

  /// - Parameter remedy: what else can be done.
  public static func baseMismatch(_ misfits: [BaseMisfit], _ checkpoint: String, remedy: Remedy) -> ErrataError {
    let reasons = misfits.map { misfit in
      if let type = misfit.onlyType {
        return
          "for this model in \(type.expected.rawValue), and \(checkpoint) is \(type.found.rawValue): only the dtype "
          + "differs; convert it to \(type.expected.rawValue)"
      }
      let tensors = misfit.tensors.map { mismatch in
        list([mismatch])
          + (misfit.types[mismatch.tensor].map { " (\($0.found.rawValue), made for \($0.expected.rawValue))" } ?? "")
      }
      return "for another base than \(checkpoint): \(boundedList(tensors, separator: "; "))"
    }
    return made(misfits.map(\.patches), reasons, remedy: remedy)
  }

  static func typeOfAnotherDigest(
    _ patch: String, _ tensor: ByteString, _ said: DType, _ found: DType
  ) -> ErrataError {
    ErrataError(
      .damagedInput, patch,
      "says that \(tensor) is \(said.rawValue) in its base, but the digest is that of a tensor in "
        + "\(found.rawValue)",
      remedy: "get the patch again")
  }

  static func quantizedBase(_ path: String, _ method: String) -> ErrataError {
    ErrataError(
      .baseMismatch, path, "its weights are quantized (\(method)), and patches are applied to BF16, F16 or F32",
      remedy: .serveAdapter)
  }

  static func anotherModel(_ misfits: [(paths: [String], problems: [String])], _ checkpoint: String) -> ErrataError {
    made(
      misfits.map(\.paths),
      misfits.map { "for another model than \(checkpoint): \($0.problems.joined(separator: ", "))" })
  }

  /// - Parameters:
  ///   - patches: in groups, those that do not fit for the same reason.
  ///   - reasons: what the patches of each group were made for.
  private static func made(_ patches: [[String]], _ reasons: [String], remedy: Remedy? = nil) -> ErrataError {
    let statements = zip(patches, reasons).map { "\($0.count == 1 ? "was" : "were") made \($1)" }
    let others = zip(patches, statements).dropFirst().map { "; \($0.joined(separator: " and ")): \($1)" }
    return ErrataError(.baseMismatch, patches[0], statements[0] + others.joined(), remedy: remedy)
  }

  static func resultDiffers(_ patch: String, _ mismatch: DigestMismatch) -> ErrataError {
    ErrataError(
      .verification, patch, "the result is not what the patch says it is: \(list([mismatch]))",
      outcome: "nothing was written")
  }

  static func parentsMissing(_ patch: String, _ parents: [Digest]) -> ErrataError {
    let names = boundedList(parents.map(\.abbreviated))
    return ErrataError(.conflict, patch, "was computed on top of \(names), not applied here", remedy: .applyParents)
  }

  static func childrenStand(_ parents: [Ledger.Entry], children: [Ledger.Entry]) -> ErrataError {
    let (verb, rest) = children.count == 1 ? ("was", "it") : ("were", "them")
    let all = parents.count + children.count == 2 ? "both" : "all of them"
    return ErrataError(
      .conflict, "\(list(children)) \(verb) computed on top of \(list(parents))",
      remedy: .revertChildren(all: all, rest: rest))
  }

  private static func list(_ entries: [Ledger.Entry]) -> String {
    boundedList(entries.map(\.description))
  }

  private static func list(_ mismatches: [DigestMismatch]) -> String {
    boundedList(
      mismatches.map { "\($0.tensor): expected \($0.expected.abbreviated), found \($0.found.abbreviated)" },
      separator: "; ")
  }

  // MARK: Naming a patch

  static func noSuchPatch(_ text: String, _ checkpoint: String, applied: [Ledger.Entry]) -> ErrataError {
    let those = applied.isEmpty ? "no patch is" : "there are \(list(applied))"
    return ErrataError(.general, text, "is neither a file nor a patch applied to \(checkpoint): \(those)")
  }

  static func ambiguousPatch(_ text: String, _ entries: [Ledger.Entry]) -> ErrataError {
    ErrataError(.usage, text, "could be any of \(list(entries))", remedy: "give more digits of the ID")
  }

  static func severalPatches(_ checkpoint: String, _ entries: [Ledger.Entry]) -> ErrataError {
    ErrataError(.usage, checkpoint, "several patches are applied: \(list(entries))", remedy: .nameReverted)
  }

  static func undoRecordLost(_ patch: String, _ checkpoint: String, _ ledger: String) -> ErrataError {
    ErrataError(
      .general, patch, "it is in the weights of \(checkpoint), but its undo record is not here",
      remedy: "restore \(ledger), or take the base checkpoint from its source")
  }

  static func presenceUnknown(_ patch: String, _ checkpoint: String) -> ErrataError {
    ErrataError(
      .general, patch,
      "no ledger of \(checkpoint) names it, and the weights are neither the base that it was made for nor "
        + "that base with it",
      remedy: .compareWithBaseAndPatch(checkpoint: checkpoint, patch: patch))
  }

  // MARK: Ledgers

  static func damagedLedger(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, path, "damaged ledger", cause: reason, remedy: "restore the checkpoint from its source")
  }

  static func ledgerVersion(_ path: String, _ version: Int) -> ErrataError {
    ErrataError(.damagedInput, path, "ledger of version \(version)", remedy: "this tool reads version 1: update errata")
  }

  static func wrongPatchInLedger(_ path: String, _ found: Digest) -> ErrataError {
    ErrataError(
      .damagedInput, path, "is patch \(found.abbreviated), not the one that its name says",
      remedy: "put the right file there")
  }

  static func changedSinceApply(_ checkpoint: String, _ ledger: String, _ changed: [DigestMismatch]) -> ErrataError {
    ErrataError(
      .baseMismatch, checkpoint, "was changed after the last apply or revert: \(list(changed))",
      remedy: "restore it, or remove \(ledger) to take it as a new base")
  }

  // MARK: Verification

  /// The report names the tensors; this ends the tool.
  static func doesNotVerify(_ report: VerificationReport) -> ErrataError {
    let (tensors, files) = (Set(report.findings.map(\.tensor)).count, report.fileFindings.count)
    let failed =
      (tensors == 0 ? [] : ["\(tensors) of \(report.checked.count) tensors checked"])
      + (files == 0 ? [] : ["\(files) of \(report.comparedFiles!.count) files beside the weights"])
    let source =
      report.areNamed ? "the base and the patches" : tensors == 0 ? "the base has" : "the ledger and the base"
    return ErrataError(
      .verification, report.checkpoint,
      "\(failed.joined(separator: " and ")) \(tensors + files == 1 ? "is" : "are") not what "
        + "\(source)\(tensors == 0 && !report.areNamed ? "" : " say")",
      remedy: "restore the checkpoint from its source")
  }

  static func signedForAnotherBase(_ checkpoint: String, _ patches: [Ledger.Entry]) -> ErrataError {
    ErrataError(
      .verification, checkpoint,
      "\(list(patches)) \(patches.count == 1 ? "was" : "were") made for another base, and a signature speaks "
        + "for a patch on the base that it was made for only",
      remedy: "apply \(patches.count == 1 ? "it" : "them") there")
  }

  static func signedOnTopOfOthers(_ checkpoint: String, _ patches: [Ledger.Entry]) -> ErrataError {
    ErrataError(
      .verification, checkpoint,
      "\(list(patches)) \(patches.count == 1 ? "was" : "were") computed on top of patches that are not here, "
        + "and a signature speaks for a patch on top of them only",
      remedy: "apply those too")
  }

  // MARK: Changes in place

  static func checkpointBusy(_ path: String) -> ErrataError {
    ErrataError(.conflict, path, "is in use by another errata", remedy: "try again when that is done")
  }

  static func partOfCheckpoint(_ path: String, _ directory: String) -> ErrataError {
    ErrataError(.usage, path, "is a part of the checkpoint \(directory)", remedy: "name that")
  }

  static func cacheIsOnlyRead(_ name: String, _ folder: String) -> ErrataError {
    ErrataError(
      .usage, name, "other programs read this model in the download cache", remedy: .writeCopy(folder: folder))
  }

  static func partHasLedger(_ directory: String, _ path: String) -> ErrataError {
    ErrataError(
      .usage, directory, "its file \(path) has a ledger of its own",
      remedy: "name the file, or take its patches back first")
  }

  static func damagedJournal(_ path: String) -> ErrataError {
    ErrataError(
      .damagedInput, path, "damaged journal of an unfinished change", remedy: "restore the checkpoint from its source")
  }

  static func journalVersion(_ path: String, _ version: Int) -> ErrataError {
    ErrataError(
      .damagedInput, path,
      "journal of version \(version) of an unfinished change; this tool reads version \(InPlaceJournal.formatVersion)",
      remedy: "finish the change with the errata that began it")
  }

  /// What went wrong when a change was taken back.
  static func changeRemains(_ error: ErrataError) -> ErrataError {
    error.with(outcome: "the change has begun, and the next errata command takes it back")
  }

  /// What went wrong when a change was taken back because of something else.
  static func changeRemains(_ error: ErrataError, after cause: any Error) -> any Error {
    (cause as? ErrataError)?.with(outcome: "then, taking the change back, \(error)") ?? error
  }

  /// What went wrong when a change was complete.
  static func changeGoesOn(_ error: ErrataError) -> ErrataError {
    error.with(outcome: "the change is made but for its ledger, and the next errata command goes on with it")
  }

  /// What went wrong after the last step but to flush it.
  static func changeNotFlushed(_ error: ErrataError) -> ErrataError {
    error.with(outcome: "the change is made, but a loss of power could still undo it")
  }

  // MARK: Files

  static func changedWhileRead(_ path: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, path, "\(tensor) changed while it was read",
      remedy: "another program is writing the file: try again later")
  }

  static func linkLeadsOut(_ path: String, _ target: String) -> ErrataError {
    ErrataError(.damagedInput, path, "is a link to \(target), outside of the checkpoint", remedy: .followLinks)
  }

  static func changedWhileCopied(_ path: String) -> ErrataError {
    ErrataError(
      .general, path, "became shorter while it was copied", remedy: "another program is writing it: try again later")
  }

  static func outputInsideSource(_ path: String, _ source: String) -> ErrataError {
    ErrataError(.usage, path, "lies in the checkpoint \(source)", remedy: "name an output outside of it")
  }
}
