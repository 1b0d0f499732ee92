import EditEvaluation
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

/// Edits facts one batch after the other: a patch for each batch, whose parents are those before it.
struct SequentialEdit {
  let job: EditJob
  let state: CheckpointState
  let parents: [PatchFile]
  let folder: String

  /// One batch and how the facts fare after it.
  struct Step {
    let path: String
    let patch: Digest
    let factCount: Int
    /// The scores of the batch's own facts.
    let own: ScoreSummary?
    /// Of all facts so far.
    let all: ScoreSummary?

    var json: JSON {
      [
        "output": JSON(path), "patch": JSON(patch.description), "facts": .integer(factCount),
        "batch": own?.json ?? .null, "all": all?.json ?? .null,
      ]
    }
  }

  /// - Throws: an `ErrataError`; the patches that are complete stay, and the same command goes on after them.
  func run(_ records: [FactRecord], batchSize: Int, evaluates: Bool, asJSON: Bool) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw ErrataError(.general, "\(folder): cannot be made or is not a folder; name another output")
    }
    let batches = stride(from: 0, to: records.count, by: batchSize).map {
      Array(records[$0..<min($0 + batchSize, records.count)])
    }
    let digits = max(3, String(batches.count).count)
    var steps: [Step] = []
    var patches = parents
    for (index, batch) in batches.enumerated() {
      let number = String(index + 1)
      let path = "\(folder)/\(String(repeating: "0", count: digits - number.count))\(number).wpatch"
      let foundation = try EditFoundation(state, with: patches, time: timestamp())
      if FileManager.default.fileExists(atPath: path) {
        guard try job.wouldMake(try PatchFile(path: path).manifest, batch.map(\.fact), on: foundation) else {
          throw ErrataError(
            .general, "\(path): was made of other facts, with other settings or on other patches; name another folder")
        }
      } else {
        _ = try job.run(
          batch.map(\.fact), on: foundation, title: "values \(index + 1)/\(batches.count)", output: path)
      }
      patches.append(try PatchFile(path: path))
      let scores = evaluates ? try score(records, upTo: index, of: batches, patches) : nil
      if evaluates, scores == nil { throw interrupted(index + 1, of: batches.count) }
      steps.append(
        Step(
          path: path, patch: patches.last!.identifier, factCount: batch.count,
          own: scores.map { ScoreSummary($0.suffix(batch.count)) }, all: scores.map { ScoreSummary($0) }))
      if Interruption.isRequested, index + 1 < batches.count { throw interrupted(index + 1, of: batches.count) }
    }
    if asJSON { printJSON(.array(steps.map(\.json))) } else { print(steps) }
  }

  /// The scores of all facts so far on the patched model, in order; nil if it was interrupted.
  private func score(
    _ records: [FactRecord], upTo index: Int, of batches: [[FactRecord]], _ patches: [PatchFile]
  ) throws -> [RecordScore]? {
    try job.model.compute(after: state.planApply(patches, time: timestamp()))
    let edited = Array(records.prefix(batches[...index].reduce(0) { $0 + $1.count }))
    let progress = Progress(
      "scores \(index + 1)/\(batches.count)", unit: "records", total: edited.count, isQuiet: job.isQuiet)
    let scores = try FactScorer(job.model).score(edited) {
      progress.update(completed: $0)
      return !Interruption.isRequested
    }
    progress.finish()
    return scores.count == edited.count ? scores : nil
  }

  private func interrupted(_ done: Int, of count: Int) -> ErrataError {
    ErrataError(
      .general, "interrupted after \(done) of \(count) patches, kept in \(folder); run the same command to continue")
  }

  private func print(_ steps: [Step]) {
    guard steps.contains(where: { $0.all != nil }) else {
      for step in steps { Swift.print("\(step.path): patch \(step.patch.abbreviated), \(step.factCount) facts") }
      return
    }
    var table = TextTable(
      [("patch", .left), ("facts", .right)]
        + ["ES", "PS", "NS", "S"].map { ($0, .right) } + [("facts so far", .right)]
        + ["ES", "PS", "NS", "S"].map { ($0, .right) })
    var done = 0
    for step in steps {
      done += step.factCount
      table.append([step.path, String(step.factCount)] + columns(step.own) + [String(done)] + columns(step.all))
    }
    for line in table.lines { Swift.print(line) }
  }

  private func columns(_ scores: ScoreSummary?) -> [String] {
    [scores?.efficacy, scores?.paraphrase, scores?.neighborhood, scores?.harmonicMean].map { value in
      value.map { String(format: "%.1f", $0) } ?? "-"
    }
  }
}
