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
      that the ledger recorded of its base; all others stay as they are, and are compared with nothing. Without a patch \
      named, the one that is applied is taken back.

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

  @Flag(help: "Print the result as JSON.")
  var json = false

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
    if json {
      printJSON(answer(plan, notApplied, report, notes))
    } else {
      for line in lines(plan, notApplied, report) { print(line) }
    }
    for path in report?.copiedFiles ?? [] { printNotice(ownFileNotice(path)) }
    for note in notes { printNotice("note: \(note)") }
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
      let tool = Manifest.Tool(name: "errata", version: errataVersion)
      let plan = try state.planRevert(
        facts: facts, near: folder, children: children, time: timestamp(), tool: tool)
      return (plan, [])
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

  private func lines(_ plan: StatePlan, _ notApplied: [String], _ report: StateReport?) -> [String] {
    let verb = destination.dryRun ? "would revert" : "reverted"
    let entries = plan.state.ledger.patches
    var lines = notApplied.map { "not applied: \($0)" }
    if entries.isEmpty { lines.append("\(checkpoint): has no ledger, so no patch is recorded as applied") }
    lines += plan.reverted.map { file in
      "\(verb) \(file.extent): \(entries.first { $0.patch == file.identifier }!)"
    }
    lines += plan.replaced.map { replacement in
      let entry = entries.first { $0.patch == replacement.old.identifier }!
      return "\(verb) \(entry) in part: \(replacement.new.extent) left, now patch "
        + replacement.new.identifier.abbreviated
    }
    let written = destination.output ?? checkpoint
    lines.append(
      report.map { "\(written): \(plan.isEmpty ? "copied, no change" : $0.summary(size: formatBytes))" + rest(plan) }
        ?? "nothing written")
    return lines
  }

  /// What the edited tensors were compared with, where no patch remains.
  private func rest(_ plan: StatePlan) -> String {
    guard plan.entries.isEmpty, !plan.reverted.isEmpty else { return "" }
    let foreign = plan.state.patchesForAnotherBase
    let tensors = plan.state.ledger.tensors.count == 1 ? "the edited tensor has" : "every edited tensor has"
    let those = plan.reverted.count == 1 ? "the patch was" : "the patches were"
    return ", no patch is left: \(tensors) "
      + (foreign.isEmpty
        ? "the digest of the base that \(those) made for"
        : "the digest that the ledger recorded when it was edited, which is not that of the base that "
          + "\(foreign.map(\.description).joined(separator: ", ")) \(foreign.count == 1 ? "was" : "were") made for")
  }

  private func answer(_ plan: StatePlan, _ notApplied: [String], _ report: StateReport?, _ notes: [String]) -> JSON {
    [
      "checkpoint": JSON(checkpoint), "output": report == nil ? .null : JSON(destination.output ?? checkpoint),
      "dry_run": .bool(destination.dryRun),
      "reverted": .array(plan.reverted.map(\.json)),
      "replaced": .array(
        plan.replaced.map { ["old": JSON($0.old.identifier.description), "new": JSON($0.new.identifier.description)] }),
      "not_applied": .array(notApplied.map { JSON($0) }), "notes": .array(notes.map { JSON($0) }),
      "patches_for_another_base": .array(
        plan.state.patchesForAnotherBase.map { JSON($0.patch.description) }),
      "remaining": .array(plan.entries.map { JSON($0.patch.description) }), "result": report?.json ?? .null,
    ]
  }
}
