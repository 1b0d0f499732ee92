import ArgumentParser
import EditEvaluation
import Foundation
import KnowledgeEditing
import PatchAlgebra
import Tensors
import ToolSupport
import WeightPatch

struct Edit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata edit",
    abstract: "Computes an edit of facts and writes it as a patch.",
    discussion: """
      The checkpoint is not changed: 'errata apply' does that, here or wherever the patch is sent.

      Facts are read as CounterFact and multi-CounterFact, zsRE (alt becomes the new target, the first of answers is \
      the old one) and EasyEdit have them, or from plain JSON lines or CSV with the columns prompt and target: the \
      subject stands in the prompt in braces ("The capital of {Australia} is"), or in a column subject. Optional are \
      target_true, relation, source, paraphrase and neighborhood.

      Values are searched for as many facts at once as fit into memory. Ctrl-C keeps those that are complete in \
      OUTPUT.partial; the same command continues from there, to the same patch.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory.")
  var model: String

  @Option(help: "A facts file: CounterFact, zsRE, EasyEdit, or plain JSONL or CSV.")
  var facts: String

  @Option(help: "Which records of it, like 0-9 (default: all).")
  var records: String?

  @Option(help: "The second moments that 'errata stats' collected for this model.")
  var stats: String

  @Option(help: "A JSON array of context templates with {} for the prompt (default: sampled from the model).")
  var templates: String?

  @OptionGroup(title: "Settings")
  var settings: SettingOptions

  @Flag(
    help: """
      Store the facts' keys in the patch, which makes it larger by two thirds or so: 'errata stack' then needs no \
      second moments to solve it together with others.
      """)
  var keys = false

  @Option(name: [.short, .long], help: "The patch to write.")
  var output: String

  @Option(
    help: ArgumentHelp(
      "How to store the factors: auto, f32, f16, i8, or a type for A and one for B, like f16,i8.",
      discussion: "auto: float16 where that costs no fact a thousandth of what it asks for, else float32."))
  var factors: FactorTypes = .automatic

  @Option(help: "zstd's compression level, 1 to 22.")
  var compressionLevel = PatchWriter.defaultCompressionLevel

  @Option(help: "Who made the patch.")
  var author: String?

  @Option(help: "The licence of the patch.")
  var licence: String?

  @Option(help: "A note for whoever reads the patch.")
  var note: String?

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  @OptionGroup
  var profile: ProfileOptions

  func validate() throws {
    guard PatchWriter.compressionLevels.contains(compressionLevel) else {
      throw ValidationError("--compression-level must be from 1 to 22")
    }
  }

  func run() throws {
    profile.start()
    // What is cheap to check is checked before the model is opened.
    try AtomicFile.check(path: output) { (try? PatchReader(path: $0)) != nil }
    let records = try FactRecord.read(facts, selection: records, areDistinct: true)
    let statistics = try SecondMoments(contentsOf: stats)
    let model = try Profile.measure("open the model") { try LanguageModel(path: self.model) }
    try refusePatched(model)
    let notes = try FactPreflight(model.tokenizer).notes(records.map(\.fact))
    for note in notes where !quiet { printNotice("errata edit: \(printable(note))") }
    var settings = try settings.settings(for: model.architecture)
    settings.factorTypes = factors
    let templates = try Profile.measure("context templates") { try contextTemplates(model, settings) }
    let computation = try EditComputation(
      model, settings: settings, templates: templates, statistics: statistics, storesKeys: keys)
    let facts = records.map(\.fact)
    let archive = try ValueArchive(outputPath: output, identity: computation.valueIdentity(facts))
    Interruption.install()
    let progress = Progress(
      "values", unit: "facts", total: facts.count,
      initial: facts.filter { archive.values[$0.identifier] != nil }.count, isQuiet: quiet)
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
    let patch = try write(batches, computation, model)
    archive.remove()
    EditReport(patch: patch, path: output, seconds: progress.secondsElapsed).print(asJSON: json, profile)
    profile.print(asJSON: json)
  }

  /// A patch's base is a pristine checkpoint. On top of other patches the numbers would belong to no base.
  private func refusePatched(_ model: LanguageModel) throws {
    let patches = try CheckpointState(path: model.checkpoint.path).ledger.patches
    guard !patches.isEmpty else { return }
    throw ErrataError(
      .conflict,
      "\(self.model): carries \(patches.count == 1 ? "a patch" : "\(patches.count) patches"); an edit is "
        + "computed on the base: take a copy from 'errata revert \(self.model) --all -o BASE'")
  }

  private func contextTemplates(_ model: LanguageModel, _ settings: EditSettings) throws -> ContextTemplates {
    guard let path = templates else {
      let lengths = settings.method == .rome ? [5, 5, 10, 10] : [10]
      return try ContextTemplates.sampled(from: model, lengths: lengths, seed: settings.seed)
    }
    guard let elements = try JSON.parse(contentsOf: path).arrayValue,
      case let texts = elements.compactMap(\.stringValue), texts.count == elements.count
    else { throw ErrataError(.damagedInput, "\(path): context templates are a JSON array of strings") }
    return try ContextTemplates(texts)
  }

  /// Writes the patch, with each fact's probability on the base and on the exact result.
  private func write(
    _ batches: [EditComputation.ComputedBatch], _ computation: EditComputation, _ model: LanguageModel
  ) throws -> Patch {
    let scorer = FactScorer(model)
    let facts = batches.flatMap(\.description.facts)
    let after = try Profile.measure("probabilities after") { try scorer.probabilities(facts) }
    computation.withdraw()
    let before = try Profile.measure("probabilities before") { try scorer.probabilities(facts) }
    var outcomes = zip(before, after).makeIterator()
    let descriptions = batches.map { batch in
      var description = batch.description
      for index in description.facts.indices {
        let (before, after) = outcomes.next()!
        description.facts[index].outcome?.probabilityBefore = before
        description.facts[index].outcome?.probabilityAfter = after
      }
      return description
    }
    let manifest = Manifest(
      created: timestamp(), tool: Manifest.Tool(name: "errata", version: errataVersion),
      base: try computation.describeBase(), result: try computation.resultDigests(), batches: descriptions,
      author: author, licence: licence, note: note)
    return try Profile.measure("write the patch") {
      try PatchWriter.write(
        manifest, batches: batches.map(\.batch), compressionLevel: compressionLevel, to: output)
    }
  }
}

extension FactorTypes: ExpressibleByArgument {}
