import ArgumentParser
import CheckpointLedger
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

struct Revert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata revert",
    abstract: "Takes patches back, or single facts, bit for bit.",
    discussion: """
      The result is exactly the checkpoint that never had the patch. Every edited tensor is compared with the digest \
      that the ledger recorded of its base; all others stay as they are, and are compared with nothing. Without a \
      patch named, the one that is applied is taken back.

      --fact takes single facts back. The patches that carry them are solved again without them, without the model, as \
      'errata drop' does: the checkpoint becomes exactly what it would be with the patch that 'errata drop' writes.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint: a directory, or one .safetensors file.")
  var checkpoint: String

  @Argument(help: "The patches: files, the first digits of IDs, or the names under which they were applied.")
  var patches: [String] = []

  @Flag(help: "Revert the patch that was applied last.")
  var last = false

  @Flag(help: "Revert every patch.")
  var all = false

  @Option(
    name: .customLong("fact"), parsing: .singleValue,
    help: "Revert one fact: its ID, the first digits of it, or the exact subject. May be repeated.")
  var facts: [String] = []

  @OptionGroup
  var destination: Destination

  @Flag(help: "Also revert the patches that were computed on top of these.")
  var cascade = false

  @Flag(help: "Leave the patches that were computed on top of these.")
  var force = false

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    if [!patches.isEmpty, last, all, !facts.isEmpty].filter({ $0 }).count > 1 {
      throw ValidationError("name patches, or give --last, or --all, or --fact")
    }
    try destination.check()
    if cascade && force { throw ValidationError("--cascade and --force exclude each other") }
  }

  func run() throws {
    // What --fact makes is another patch, which nobody signed.
    let trust = facts.isEmpty ? nil : try PolicyOption.ofEnvironment.map(TrustPolicy.init)
    let folder = destination.folder(changing: checkpoint)
    let state = try CheckpointState(
      path: checkpoint, forWriting: destination.inPlace && !destination.dryRun, near: folder, notice: printNotice)
    let (plan, notApplied) = try plan(state, near: folder)
    // An output that was asked for is left, also where nothing changes.
    let report: StateReport? = plan.isEmpty && destination.output == nil ? nil : try write(plan)
    let notes = [try state.checkpoint.remarkOnOtherWeights()].compactMap { $0 } + unsigned(plan, trust)
    json.give(
      RevertReport(
        checkpoint: checkpoint, destination: destination, plan: plan, notApplied: notApplied, report: report,
        notes: notes))
  }

  private func unsigned(_ plan: StatePlan, _ trust: TrustPolicy?) -> [String] {
    guard let trust else { return [] }
    let written = destination.output ?? checkpoint
    return plan.replaced.map {
      trust.remarkOnNewPatch(in: written, "\($0.new.identifier.abbreviated) (\($0.name))")
    }
  }

  private func plan(_ state: CheckpointState, near folder: String?) throws -> (plan: StatePlan, notApplied: [String]) {
    let children: CheckpointState.ChildPolicy = cascade ? .cascade : force ? .keep : .refuse
    guard facts.isEmpty else {
      return (try state.planRevert(facts: facts, near: folder, children: children, origin: .now()), [])
    }
    let selection = try select(state)
    return (try state.planRevert(Set(selection.applied), children: children), selection.notApplied)
  }

  /// The IDs that are meant, and the arguments that are patches which are not applied.
  private func select(_ state: CheckpointState) throws -> (applied: [Digest], notApplied: [String]) {
    let entries = state.ledger.patches
    if all { return (entries.map(\.patch), []) }
    if last { return (entries.suffix(1).map(\.patch), []) }
    if patches.isEmpty { return (try state.onlyAppliedPatch().map { [$0] } ?? [], []) }
    var applied: [Digest] = []
    var notApplied: [String] = []
    for text in patches {
      if let identifier = try state.appliedPatch(matching: text) {
        applied.append(identifier)
      } else {
        notApplied.append(text)
      }
    }
    return (applied, notApplied)
  }

  /// - Returns: nil for a dry run.
  private func write(_ plan: StatePlan) throws -> StateReport? {
    let progress = ByteProgress("reverting", isQuiet: quiet)
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
