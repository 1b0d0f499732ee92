import ArgumentParser
import CheckpointLedger
import Tensors
import ToolSupport
import WeightPatch

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata apply",
    abstract: "Applies patches to a checkpoint.",
    discussion: """
      The result is the same, byte for byte, on every machine and in whatever order patches come. What was applied, \
      and what 'errata revert' needs to take it back, is kept in the ledger: .errata in the checkpoint's directory, or \
      FILE.errata beside a single file.

      A patch with a signature that fails, or one that is not signed as a policy asks, ends the tool with exit code 5 \
      before anything is written, also with --force. So does, under a policy, a patch on another base than its own. A \
      signed copy of a patch that is applied already brings its signatures into the ledger.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint: a directory, or one .safetensors file.")
  var checkpoint: String

  @Argument(help: "The patches, - for standard input.")
  var patches: [String]

  @OptionGroup
  var destination: Destination

  @OptionGroup
  var policy: PolicyOption

  @Flag(help: "Apply to a base that a patch was not made for, or without the patches it was computed on top of.")
  var force = false

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    if patches.isEmpty { throw ValidationError("name at least one patch") }
    try destination.check()
  }

  func run() throws {
    let trust = try policy.path.map(TrustPolicy.init)
    let folder = destination.folder(changing: checkpoint)
    // Locked first: a checkpoint in use is told before patches are copied.
    let state = try CheckpointState(
      path: checkpoint, forWriting: destination.inPlace && !destination.dryRun, near: folder, notice: printNotice)
    let files = try patches.map { try PatchFile(path: $0, near: folder) }
    for file in files { try file.checkSignatures(trust) }
    let plan = try state.planApply(files, force: force, time: timestamp())
    if let trust { try plan.checkNothingIsForced(under: trust) }
    let notes = try notes(plan)
    // An output that was asked for is left, also where nothing changes.
    let report: StateReport? = plan.isEmpty && destination.output == nil ? nil : try write(plan)
    json.give(ApplyReport(checkpoint: checkpoint, destination: destination, plan: plan, report: report, notes: notes))
  }

  private func notes(_ plan: StatePlan) throws -> [String] {
    let verb = destination.dryRun ? "would be applied" : "applied"
    let leftOut = plan.applied.flatMap { file in
      file.manifest.batches.compactMap(\.leftOutSummary).map { "\(file.path): \($0)" }
    }
    return plan.contradictions + [plan.repetition].compactMap { $0 } + leftOut
      + (plan.fitsBase ? [] : ["\(verb) by force to a base that the patch was not made for"])
      + plan.withoutParents.map { "\($0.path): \(verb) by force without the patches that it was computed on top of" }
      + (try plan.remarks())
  }

  /// - Returns: nil for a dry run.
  private func write(_ plan: StatePlan) throws -> StateReport? {
    let progress = ByteProgress("applying", isQuiet: quiet)
    defer { progress.finish() }
    if destination.dryRun {
      try plan.rehearse(
        to: destination.output, followsLinks: destination.followLinks, progress: progress.update)
      return nil
    }
    guard let output = destination.output else { return try plan.writeInPlace(progress: progress.update) }
    let options = WriteOptions(
      copyMode: destination.link ? .hardLink : .clone, followsLinks: destination.followLinks,
      progress: progress.update)
    return try plan.write(to: output, options: options)
  }
}
