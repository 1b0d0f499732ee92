import Tensors
import WeightPatch

/// What apply and revert say when they cannot go on.
extension ErrataError {
  // MARK: A tensor and a patch that do not fit

  // MARK: Arithmetic

  // MARK: Undo records

  static func damagedUndoRecord(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): damaged undo record: \(reason); restore the base checkpoint from its source")
  }

  static func undoRecordVersion(_ path: String, _ version: UInt32) -> ErrataError {
    ErrataError(.damagedInput, "\(path): undo record of version \(version); this tool reads version 1: update errata")
  }

  // MARK: A checkpoint and a patch that do not fit

  /// - Parameter advice: what else can be done.
  public static func baseMismatch(_ misfits: [BaseMisfit], _ checkpoint: String, advice: String) -> ErrataError {
    let texts = misfits.map { misfit in
      if let type = misfit.onlyType {
        return
          "\(made(misfit.patches)) for this model in \(type.expected.rawValue), and \(checkpoint) is \(type.found.rawValue): "
          + "only the dtype differs; convert it to \(type.expected.rawValue)"
      }
      let tensors = misfit.tensors.map { mismatch in
        list([mismatch])
          + (misfit.types[mismatch.tensor].map { " (\($0.found.rawValue), made for \($0.expected.rawValue))" } ?? "")
      }
      return "\(made(misfit.patches)) for another base than \(checkpoint): \(tensors.joined(separator: "; "))"
    }
    return ErrataError(.baseMismatch, "\(texts.joined(separator: "; ")) (\(advice))")
  }

  static func typeOfAnotherDigest(
    _ patch: String, _ tensor: ByteString, _ said: DType, _ found: DType
  ) -> ErrataError {
    ErrataError(
      .damagedInput,
      "\(patch): says that \(tensor) is \(said.rawValue) in its base, but the digest is that of a tensor in \(found.rawValue): "
        + "get the patch again"
    )
  }

  static func quantizedBase(_ path: String, _ method: String) -> ErrataError {
    ErrataError(
      .baseMismatch,
      "\(path): its weights are quantized (\(method)), and patches are applied to BF16, F16 or F32; serve it with an adapter: "
        + "'errata export PATCH --to peft --base ORIGINAL -o FOLDER'")
  }

  static func anotherModel(_ misfits: [(paths: [String], problems: [String])], _ checkpoint: String) -> ErrataError {
    let texts = misfits.map { misfit in
      "\(made(misfit.paths)) for another model than \(checkpoint): \(misfit.problems.joined(separator: ", "))"
    }
    return ErrataError(.baseMismatch, texts.joined(separator: "; "))
  }

  private static func made(_ patches: [String]) -> String {
    patches.joined(separator: " and ") + (patches.count == 1 ? ": was made" : ": were made")
  }

  static func resultDiffers(_ patch: String, _ mismatch: DigestMismatch) -> ErrataError {
    ErrataError(
      .verification,
      "\(patch): the result is not what the patch says it is: \(list([mismatch])); nothing was written")
  }

  static func parentsMissing(_ patch: String, _ parents: [Digest]) -> ErrataError {
    let names = parents.map(\.abbreviated).joined(separator: ", ")
    return ErrataError(
      .conflict,
      "\(patch): was computed on top of \(names), not applied here: apply that first (--force applies it all the same)")
  }

  static func childrenStand(_ parents: [Ledger.Entry], children: [Ledger.Entry]) -> ErrataError {
    let (verb, rest) = children.count == 1 ? ("was", "it") : ("were", "them")
    let all = parents.count + children.count == 2 ? "both" : "all of them"
    return ErrataError(
      .conflict,
      "\(list(children)) \(verb) computed on top of \(list(parents)): --cascade reverts \(all), --force leaves \(rest) "
        + "applied")
  }

  private static func list(_ entries: [Ledger.Entry]) -> String {
    entries.map(\.description).joined(separator: ", ")
  }

  private static func list(_ mismatches: [DigestMismatch]) -> String {
    mismatches.map { "\($0.tensor): expected \($0.expected.abbreviated), found \($0.found.abbreviated)" }
      .joined(separator: "; ")
  }

  // MARK: Naming a patch

  static func noSuchPatch(_ text: String, _ checkpoint: String, applied: [Ledger.Entry]) -> ErrataError {
    let those = applied.isEmpty ? "no patch is" : "there are \(list(applied))"
    return ErrataError(.general, "\(text): is neither a file nor a patch applied to \(checkpoint): \(those)")
  }

  static func ambiguousPatch(_ text: String, _ entries: [Ledger.Entry]) -> ErrataError {
    ErrataError(.usage, "\(text): could be any of \(list(entries)); give more digits of the ID")
  }

  static func severalPatches(_ checkpoint: String, _ entries: [Ledger.Entry]) -> ErrataError {
    ErrataError(
      .usage,
      "\(checkpoint): several patches are applied: \(list(entries)); name those to revert, or use --last or --all")
  }

  static func undoRecordLost(_ patch: String, _ checkpoint: String, _ ledger: String) -> ErrataError {
    ErrataError(
      .general,
      "\(patch): it is in the weights of \(checkpoint), but its undo record is not here: restore \(ledger), or take the "
        + "base checkpoint from its source")
  }

  static func presenceUnknown(_ patch: String, _ checkpoint: String) -> ErrataError {
    ErrataError(
      .general,
      "\(patch): no ledger of \(checkpoint) names it, and the weights are neither the base that it was made for "
        + "nor that base with it; 'errata verify \(checkpoint) --base BASE --patch \(patch)' compares them")
  }

  // MARK: Ledgers

  static func damagedLedger(_ path: String, _ reason: String) -> ErrataError {
    ErrataError(.damagedInput, "\(path): damaged ledger: \(reason); restore the checkpoint from its source")
  }

  static func ledgerVersion(_ path: String, _ version: Int) -> ErrataError {
    ErrataError(.damagedInput, "\(path): ledger of version \(version); this tool reads version 1: update errata")
  }

  static func wrongPatchInLedger(_ path: String, _ found: Digest) -> ErrataError {
    ErrataError(
      .damagedInput,
      "\(path): is patch \(found.abbreviated), not the one that its name says; put the right file there")
  }

  static func changedSinceApply(_ checkpoint: String, _ ledger: String, _ changed: [DigestMismatch]) -> ErrataError {
    ErrataError(
      .baseMismatch,
      "\(checkpoint): was changed after the last apply or revert: \(list(changed)); restore it, or remove \(ledger) to "
        + "take it as a new base")
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
      .verification,
      "\(report.checkpoint): \(failed.joined(separator: " and ")) \(tensors + files == 1 ? "is" : "are") not what "
        + "\(source)\(tensors == 0 && !report.areNamed ? "" : " say"); restore the checkpoint from its source")
  }

  static func signedForAnotherBase(_ checkpoint: String, _ patches: [Ledger.Entry]) -> ErrataError {
    ErrataError(
      .verification,
      "\(checkpoint): \(list(patches)) \(patches.count == 1 ? "was" : "were") made for another base, and a signature "
        + "speaks for a patch on the base that it was made for only; apply \(patches.count == 1 ? "it" : "them") there")
  }

  static func signedOnTopOfOthers(_ checkpoint: String, _ patches: [Ledger.Entry]) -> ErrataError {
    ErrataError(
      .verification,
      "\(checkpoint): \(list(patches)) \(patches.count == 1 ? "was" : "were") computed on top of patches that are not "
        + "here, and a signature speaks for a patch on top of them only; apply those too")
  }

  // MARK: Changes in place

  static func checkpointBusy(_ path: String) -> ErrataError {
    ErrataError(.conflict, "\(path): is in use by another errata; try again when that is done")
  }

  static func partOfCheckpoint(_ path: String, _ directory: String) -> ErrataError {
    ErrataError(.usage, "\(path): is a part of the checkpoint \(directory); name that")
  }

  static func cacheIsOnlyRead(_ name: String, _ folder: String) -> ErrataError {
    ErrataError(
      .usage,
      "\(name): other programs read this model in the download cache; write a copy with -o, or name the folder \(folder)"
    )
  }

  static func partHasLedger(_ directory: String, _ path: String) -> ErrataError {
    ErrataError(
      .usage, "\(directory): its file \(path) has a ledger of its own; name the file, or take its patches back first")
  }

  static func damagedJournal(_ path: String) -> ErrataError {
    ErrataError(
      .damagedInput, "\(path): damaged journal of an unfinished change; restore the checkpoint from its source")
  }

  /// What went wrong when a change was taken back.
  static func changeRemains(_ error: ErrataError) -> ErrataError {
    ErrataError(
      error.category, "\(error.message); the change has begun, and the next errata command takes it back")
  }

  /// What went wrong when a change was taken back because of something else.
  static func changeRemains(_ error: ErrataError, after cause: any Error) -> any Error {
    guard let cause = cause as? ErrataError else { return error }
    // What came of it, or what to do, no longer holds.
    let reason = cause.message.prefix { $0 != ";" }
    return ErrataError(cause.category, "\(reason); then, taking the change back, \(error.message)")
  }

  /// What went wrong when a change was complete.
  static func changeGoesOn(_ error: ErrataError) -> ErrataError {
    ErrataError(
      error.category,
      "\(error.message); the change is made but for its ledger, and the next errata command goes on with it")
  }

  /// What went wrong after the last step but to flush it.
  static func changeNotFlushed(_ error: ErrataError) -> ErrataError {
    ErrataError(error.category, "\(error.message); the change is made, but a loss of power could still undo it")
  }

  // MARK: Files

  static func changedWhileRead(_ path: String, _ tensor: ByteString) -> ErrataError {
    ErrataError(
      .general, "\(path): \(tensor) changed while it was read; another program is writing the file: try again later")
  }

  static func linkLeadsOut(_ path: String, _ target: String) -> ErrataError {
    ErrataError(
      .damagedInput,
      "\(path): is a link to \(target), outside of the checkpoint; --follow-links copies what is there, or remove the link"
    )
  }

  static func changedWhileCopied(_ path: String) -> ErrataError {
    ErrataError(.general, "\(path): became shorter while it was copied; another program is writing it: try again later")
  }

  static func outputInsideSource(_ path: String, _ source: String) -> ErrataError {
    ErrataError(.usage, "\(path): lies in the checkpoint \(source); name an output outside of it")
  }
}
