import Errata

/// compute-edit MODEL FACTS STATISTICS PATCH: computes the edit of a facts file with MEMIT and writes it as a patch.
@main
enum ComputeEdit {
  static func main() throws {
    let (model, facts) = (CommandLine.arguments[1], CommandLine.arguments[2])
    let (statistics, output) = (CommandLine.arguments[3], CommandLine.arguments[4])

    // Nobody else changes the checkpoint as long as it is open; the edit does not change it either.
    let base = try PatchedModel(OpenedCheckpoint(path: model))
    let settings = EditSettings(method: .memit, layers: [1], secondMomentWeight: 100)
    let editor = try Editor(on: base, settings: settings, statistics: SecondMoments(contentsOf: statistics))

    let origin = PatchOrigin(
      created: "2026-01-31T12:00:00Z", tool: Manifest.Tool(name: "compute-edit", version: "1"))
    let records = try FactForms(base.model()).applied(to: FactRecord.read(facts, areDistinct: true))
    let patch = try editor.edit(records.map(\.fact), origin: origin) { progress in
      print("\(progress.completed) of \(progress.total) facts")
      return true
    }

    for fact in patch.manifest.batches.flatMap(\.facts) {
      print(fact.subject, fact.outcome?.probabilityBefore ?? 0, "->", fact.outcome?.probabilityAfter ?? 0)
    }
    try patch.write(to: output)
  }
}
