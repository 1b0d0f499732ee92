import Errata

/// apply-patch PATCH CHECKPOINT OUTPUT: lists a patch's facts, and writes the checkpoint with it.
@main
enum ApplyPatch {
  static func main() throws {
    let patch = try PatchFile(path: CommandLine.arguments[1])
    for fact in patch.manifest.batches.flatMap(\.facts) { print("\(fact.subject): \(fact.targetNew)") }

    let plan = try CheckpointState(path: CommandLine.arguments[2]).planApply([patch], time: "2026-01-31T12:00:00Z")
    let report = try plan.write(to: CommandLine.arguments[3])
    print("\(report.tensors.count) tensors edited")
  }
}
