import ArgumentParser
import CheckpointLedger
import Foundation
import PatchAlgebra
import Safetensors
import Tensors
import ToolSupport
import WeightPatch

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata diff",
    abstract: "Says how two patches or two checkpoints differ, or whether a patch is in a checkpoint; makes patches.",
    discussion: """
      Two patches: facts added (+), removed (-) and changed (~: same subject and prompt, another target); and for \
      every tensor the norms of the changes A and B and of A - B, their cosine, their ranks, and the smallest and \
      largest principal angle between what they write (columns) and between what they respond to (rows). All of it \
      comes from the factors. Corrections are counted, and are no part of the norms.

      Two checkpoints: every tensor that differs, by how much, D = second - first, and the numerical rank of D: the \
      singular values above what rounding to the tensor's type explains; with --tolerance T, as many as leave at most \
      T |D|. Tensors with the same bytes are not listed. Ledgers are not looked at.

      With -o the difference is written as a patch: applied to the first checkpoint it gives the tensors of the \
      second, bit for bit, and can be reverted like any other. So edits by other tools become patches. It holds \
      low-rank factors and corrections: steps for those elements that the factors miss. Without --tolerance the rank \
      is the one that makes the patch smallest, judged by a sample; for F32 checkpoints that another tool trained in \
      full it can be as large as the tensors. Corrections are made for one sum, so that such a patch is refused beside \
      any other patch of the same tensor. With --no-correction only the factors are written: all that rounding does \
      not explain, or that --tolerance asks for. That goes with other patches, and is not exact; how much it misses is \
      reported, and stands in the patch, as do the tensors that it leaves out.

      Tensors whose names differ by a prefix that all of them have are compared with each other. What no patch can \
      hold (tensors that only one has, that have another type or shape, that are no weights or not finite) keeps -o \
      from writing one; --common leaves it out and lists it.

      A checkpoint and a patch, in either order: by the ledger, which batches and facts of the patch are in; without a \
      ledger, by the digests that the patch records; with --base also by applying it, and if the tensors are neither, \
      how much of the patch's change is in them. So with several patches: whether they are in the checkpoint together. \
      Exit code 5 if tensors are not what the ledger says.
      """,
    version: errataVersion)

  @Argument(help: "A patch, - for standard input, or a checkpoint: a directory, or one .safetensors file.")
  var first: String

  @Argument(help: "Another one.")
  var second: String

  @Argument(help: "Beside a checkpoint and a patch: more patches.")
  var others: [String] = []

  @Option(name: [.short, .long], help: "Write the difference of two checkpoints as a patch, - for standard output.")
  var output: String?

  @OptionGroup
  var replacement: ReplaceOption

  @Option(parsing: .unconditional, help: "Checkpoints: the share of |D| that a rank may leave, in the Frobenius norm.")
  var tolerance: Double?

  @Option(parsing: .unconditional, help: "Checkpoints: the highest rank to look for, and to write (default: 256).")
  var rank: Int?

  @Flag(
    name: .customLong("no-correction"),
    help: "With -o: the low-rank factors alone. Not exact, but goes with other patches of the same tensors.")
  var isWithoutCorrection = false

  @Flag(
    help: "With -o: a patch of what a patch can hold; tensors added, removed, of another type or not finite are listed."
  )
  var common = false

  @Option(help: "Checkpoint and patch: the checkpoint without any patch.")
  var base: String?

  @OptionGroup(title: "With -o")
  var origin: OriginOptions

  @Flag(help: "Exit with code 1 if the two differ, or if the patch is not wholly in the checkpoint.")
  var exitCode = false

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  private enum Kind { case patches, checkpoints, membership }

  private var kind: Kind {
    switch ([first, second] + others).count(where: namesCheckpoint) {
    case 0: .patches
    case 1: .membership
    default: .checkpoints
    }
  }

  func validate() throws {
    if kind != .checkpoints {
      if output != nil { throw ValidationError("-o goes with two checkpoints") }
      if tolerance != nil { throw ValidationError("--tolerance goes with two checkpoints") }
      if rank != nil { throw ValidationError("--rank goes with two checkpoints") }
    }
    if kind != .membership && !others.isEmpty {
      throw ValidationError("name two, or one checkpoint and several patches")
    }
    if kind != .membership && base != nil { throw ValidationError("--base goes with a checkpoint and a patch") }
    if output == nil && replacement.isAllowed { throw ValidationError("--force goes with -o") }
    if output == nil && isWithoutCorrection { throw ValidationError("--no-correction goes with -o") }
    if output == nil && common { throw ValidationError("--common goes with -o") }
    if output == nil && origin.areGiven {
      throw ValidationError("--author, --licence and --note go with -o")
    }
    if let tolerance, !(tolerance >= 0 && tolerance < 1) {
      throw ValidationError("--tolerance is a share: 0 or more, and less than 1")
    }
    if let rank, !(0...65_536).contains(rank) { throw ValidationError("--rank is a number from 0 to 65536") }
  }

  func run() throws {
    let differs =
      switch kind {
      case .patches: try comparePatches()
      case .checkpoints: try output.map(writePatch) ?? compareCheckpoints()
      case .membership: try findPatch()
      }
    if exitCode && differs { throw ExitCode(1) }
  }

  // MARK: Two patches

  private func comparePatches() throws -> Bool {
    let files = (try PatchFile(path: first), try PatchFile(path: second))
    let report = PatchDifferenceReport(
      first: files.0, second: files.1, difference: try PatchDifference(from: files.0, to: files.1))
    json.give(report)
    return report.difference.isDifferent
  }

  // MARK: Two checkpoints

  private var rankRule: NumericalRank.Rule { tolerance.map { .tolerance($0) } ?? .rounding }

  private func compareCheckpoints() throws -> Bool {
    let states = (try open(first), try open(second))
    let progress = ByteProgress("comparing", isQuiet: quiet)
    let difference = try CheckpointDifference(
      from: states.0.checkpoint, to: states.1.checkpoint, rule: rankRule, rankLimit: rank ?? 256,
      progress: progress.update)
    progress.finish()
    let report = CheckpointDifferenceReport(first: first, second: second, difference: difference, rule: rankRule)
    json.give(report)
    return !difference.differences.isEmpty
  }

  private func writePatch(_ output: String) throws -> Bool {
    try PatchWriter.checkOutput(output, replacing: replacement.isAllowed)
    let states = (try open(first), try open(second))
    guard !states.0.isEdited else { throw ErrataError.baseCarriesPatches(first, states.0.ledger.patches.count) }
    let progress = ByteProgress("comparing", isQuiet: quiet)
    let difference = try DifferencePatch(
      from: states.0.checkpoint, to: states.1.checkpoint, choice: tolerance.map { .tolerance($0) } ?? .smallest,
      isCorrected: !isWithoutCorrection, isCommon: common, rankLimit: rank ?? 256, progress: progress.update)
    progress.finish()
    let written = try difference.write(to: output, origin: origin.origin())
    let report = DifferencePatchReport(
      path: output, patch: written, byteCount: written.writtenByteCount!, tensors: difference.tensors,
      leftOut: difference.leftOut, isExact: !isWithoutCorrection)
    json.give(report)
    return true
  }

  // MARK: A checkpoint and a patch

  private func findPatch() throws -> Bool {
    let inputs = [first, second] + others
    let checkpoint = inputs.first(where: namesCheckpoint)!
    let files = try inputs.filter { !namesCheckpoint($0) }.map { try PatchFile(path: $0) }
    let state = try open(checkpoint)
    let pristine = try base.map(open)
    if let base, let pristine, pristine.isEdited {
      throw ErrataError.baseCarriesPatches(base, pristine.ledger.patches.count)
    }
    let progress = ByteProgress("looking", isQuiet: quiet)
    let presence = try PatchPresence(of: files, in: state, base: pristine?.checkpoint, progress: progress.update)
    progress.finish()
    let report = PresenceReport(files: files, checkpoint: checkpoint, base: base, presence: presence)
    json.give(report)
    guard presence.isIntact else { throw ErrataError.notAsRecorded(checkpoint) }
    return presence.verdict != .applied
  }

  private func open(_ path: String) throws -> CheckpointState {
    try CheckpointState(path: path, notice: printNotice)
  }
}
