import ArgumentParser
import Foundation
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

struct Revert: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata revert",
    abstract: "Takes patches back, or single facts, bit for bit.",
    discussion: """
      The result is exactly the checkpoint that never had the patch; where no patch remains, every file has the bytes \
      that it had before the first. Without a patch named, the one that is applied is taken back.

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
    let state = try CheckpointState(
      path: checkpoint, forWriting: destination.inPlace && !destination.dryRun,
      near: destination.folder(changing: checkpoint), notice: printNotice)
    // The patches that take the place of others lie here until the checkpoint has them.
    let folder = FileManager.default.temporaryDirectory.appending(path: "errata-revert-\(UUID())").path
    if !facts.isEmpty { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (plan, notApplied) = try plan(state, folder: folder)
    let report: StateReport? = plan.isEmpty ? nil : try write(plan)
    if json {
      printJSON(answer(plan, notApplied, report))
    } else {
      for line in lines(plan, notApplied, report) { print(line) }
    }
    for path in report?.copiedFiles ?? [] { printNotice(ownFileNotice(path)) }
  }

  private func plan(_ state: CheckpointState, folder: String) throws -> (plan: StatePlan, notApplied: [String]) {
    let children: CheckpointState.ChildPolicy = cascade ? .cascade : force ? .keep : .refuse
    guard facts.isEmpty else {
      let tool = Manifest.Tool(name: "errata", version: errataVersion)
      let plan = try state.planRevert(facts: facts, folder: folder, children: children, time: timestamp(), tool: tool)
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
    if entries.isEmpty { lines.append("\(checkpoint): no patch is applied") }
    lines += plan.reverted.map { file in
      "\(verb) \(file.extent): \(entries.first { $0.patch == file.identifier }!)"
    }
    lines += plan.replaced.map { replacement in
      let entry = entries.first { $0.patch == replacement.old.identifier }!
      return "\(verb) \(entry) in part: \(replacement.new.extent) left, now patch "
        + replacement.new.identifier.abbreviated
    }
    let written = destination.output ?? checkpoint
    lines.append(report.map { "\(written): \($0.summary(size: formatBytes))" } ?? "nothing written")
    return lines
  }

  private func answer(_ plan: StatePlan, _ notApplied: [String], _ report: StateReport?) -> JSON {
    [
      "checkpoint": JSON(checkpoint), "output": report == nil ? .null : JSON(destination.output ?? checkpoint),
      "dry_run": .bool(destination.dryRun),
      "reverted": .array(plan.reverted.map(\.json)),
      "replaced": .array(
        plan.replaced.map { ["old": JSON($0.old.identifier.description), "new": JSON($0.new.identifier.description)] }),
      "not_applied": .array(notApplied.map { JSON($0) }),
      "remaining": .array(plan.entries.map { JSON($0.patch.description) }), "result": report?.json ?? .null,
    ]
  }
}
