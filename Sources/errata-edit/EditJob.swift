import EditEvaluation
import KnowledgeEditing
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

/// What all patches of one command have in common; makes one patch at a time.
final class EditJob {
  let model: LanguageModel
  private let settings: EditSettings
  private let templates: ContextTemplates
  private let statistics: SecondMoments
  private let storesKeys: Bool
  private let compressionLevel: Int
  private let author: String?
  private let licence: String?
  private let note: String?
  let isQuiet: Bool
  /// The computation of the patch before, whose factorizations of C serve again.
  private var previous: EditComputation?

  init(
    model: LanguageModel, settings: EditSettings, templates: ContextTemplates, statistics: SecondMoments,
    storesKeys: Bool,
    compressionLevel: Int, author: String?, licence: String?, note: String?, isQuiet: Bool
  ) {
    self.model = model
    self.settings = settings
    self.templates = templates
    self.statistics = statistics
    self.storesKeys = storesKeys
    self.compressionLevel = compressionLevel
    self.author = author
    self.licence = licence
    self.note = note
    self.isQuiet = isQuiet
  }

  struct Result {
    let patch: Patch
    let seconds: Double
  }

  /// Computes a patch and writes it. The decoder computes with its result afterwards.
  ///
  /// - Throws: an `ErrataError`; if it was interrupted, one that says how to continue.
  func run(_ facts: [Manifest.Fact], on foundation: EditFoundation, title: String, output: String) throws -> Result {
    let computation = try computation(on: foundation)
    let archive = try ValueArchive(outputPath: output, identity: computation.valueIdentity(facts))
    let progress = Progress(
      title, unit: "facts", total: facts.count,
      initial: facts.filter { archive.values[$0.identifier] != nil }.count, isQuiet: isQuiet)
    let batches = try computation.run(
      facts, values: archive.values,
      onStep: { done, remark in
        progress.update(completed: done, remark)
        return !Interruption.isRequested
      }, onFound: { try archive.append($0) })
    progress.finish()
    guard let batches else {
      // With none found there is no file to speak of.
      throw ErrataError(
        .general,
        archive.values.isEmpty
          ? "interrupted before the first values were complete; run the same command to start again"
          : "interrupted with \(archive.values.count) of \(facts.count) values found, kept in \(archive.path); "
            + "run the same command to continue")
    }
    let patch = try write(batches, computation, to: output)
    archive.remove()
    return Result(patch: patch, seconds: progress.secondsElapsed)
  }

  /// Whether a patch is what `run` would write for these facts, but for what people say in it.
  func wouldMake(_ manifest: Manifest, _ facts: [Manifest.Fact], on foundation: EditFoundation) throws -> Bool {
    try computation(on: foundation).isResult(manifest, of: facts)
  }

  private func computation(on foundation: EditFoundation) throws -> EditComputation {
    let computation = try EditComputation(
      model, on: foundation, settings: settings, templates: templates, statistics: statistics, storesKeys: storesKeys,
      sharingFactorsOf: previous)
    previous = computation
    return computation
  }

  /// Writes the patch, with each fact's probability before and on the exact result.
  private func write(
    _ batches: [EditComputation.ComputedBatch], _ computation: EditComputation, to output: String
  ) throws -> Patch {
    let scorer = FactScorer(model)
    let facts = batches.flatMap(\.description.facts)
    let after = try Profile.measure("probabilities after") { try scorer.probabilities(facts) }
    try computation.withdraw()
    let before = try Profile.measure("probabilities before") { try scorer.probabilities(facts) }
    var outcomes = zip(before, after).makeIterator()
    let descriptions = batches.map { batch in
      var description = batch.description
      for index in description.facts.indices {
        let (before, after) = outcomes.next()!
        description.facts[index].outcome?.probabilityBefore = before
        description.facts[index].outcome?.probabilityAfter = after
        let tokens = scorer.targetTokenCount(description.facts[index])
        description.facts[index].outcome?.targetTokens = tokens
      }
      return description
    }
    let manifest = Manifest(
      created: timestamp(), tool: Manifest.Tool(name: "errata", version: errataVersion),
      base: try computation.describeBase(), result: try computation.resultDigests(), batches: descriptions,
      parents: computation.parents, author: author, licence: licence, note: note)
    return try Profile.measure("write the patch") {
      try PatchWriter.write(manifest, batches: batches.map(\.batch), compressionLevel: compressionLevel, to: output)
    }
  }
}
