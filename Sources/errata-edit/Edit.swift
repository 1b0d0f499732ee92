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

      Facts are read as CounterFact, multi-CounterFact and MQuAKE, zsRE (alt becomes the new target, the first of answers \
      is the old one) and EasyEdit have them, or from plain JSON lines or CSV with the columns prompt and target: the \
      subject stands in the prompt in braces ("The capital of {Australia} is"), or in a column subject. Optional are \
      target_true, relation, source, paraphrase and neighborhood.

      Values are searched for as many facts at once as fit into memory. Ctrl-C keeps those that are complete in \
      OUTPUT.partial; the same command continues from there, to the same patch.

      On a checkpoint that carries patches, or with --after, the edit is computed on top of those patches and names \
      them as its parents: it holds what they lack, and is applied where they are. With --batch-size the facts are \
      edited one batch after the other, each on top of those before, into the folder OUTPUT, and scored after each.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory.")
  var model: String

  @Option(help: "A facts file: CounterFact, MQuAKE, zsRE, EasyEdit, or plain JSONL or CSV.")
  var facts: String

  @Option(help: "Which records of it, like 0-9 (default: all).")
  var records: String?

  @Flag(help: "Leave out records that cannot be used, each named on standard error, instead of refusing the file.")
  var skipInvalid = false

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

  @Option(
    parsing: .singleValue,
    help: "Compute on top of this patch, as if it were applied. May be repeated; a parent comes before its children.")
  var after: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Edit so many facts at a time, each batch on top of those before: patches 001.wpatch and so on in the folder OUTPUT.",
      valueName: "facts"))
  var batchSize: Int?

  @Flag(help: "With --batch-size: do not score all facts so far after each batch.")
  var noEvaluation = false

  @Option(name: [.short, .long], help: "The patch to write, or the folder of patches.")
  var output: String

  @Option(
    help: ArgumentHelp(
      "How to store the factors: auto, f32, f16, i8, or a type for A and one for B, like f16,i8.",
      discussion: "auto: float16 where that costs no fact a thousandth of what it asks for, else float32."))
  var factors: FactorTypes = .automatic

  @Option(parsing: .unconditional, help: "zstd's compression level, 1 to 22.")
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
    if let batchSize, batchSize < 1 { throw ValidationError("--batch-size must be positive") }
    if noEvaluation, batchSize == nil { throw ValidationError("--no-evaluation goes with --batch-size") }
  }

  func run() throws {
    profile.start()
    // What is cheap to check is checked before the model is opened.
    if batchSize == nil { try PatchWriter.checkOutput(output, inputs: after) }
    let invalid = InvalidRecords(areSkipped: skipInvalid) { printNotice("errata edit: \($0)") }
    let given = try FactRecord.read(facts, selection: records, areDistinct: true, invalid: invalid)
    let parents = try after.map { try PatchFile(path: $0) }
    let statistics = try SecondMoments(contentsOf: stats)
    let state = try CheckpointState(path: model, notice: printNotice)
    let foundation = try EditFoundation(state, with: parents, time: timestamp())
    let model = try Profile.measure("open the model") { try LanguageModel(path: self.model, notice: printNotice) }
    let (records, notes) = try FactPreflight(model.tokenizer).check(given, in: facts, invalid: invalid)
    if let remark = statistics.remark(for: model.tokenizer) { printNotice("errata edit: \(remark)") }
    for note in notes where !quiet { printNotice("errata edit: \(printable(note))") }
    var settings = try settings.settings(for: model.architecture)
    settings.factorTypes = factors
    // The contexts are what the model says as the edit finds it, the same for every batch.
    try model.compute(on: foundation)
    let templates = try Profile.measure("context templates") { try contextTemplates(model, settings) }
    let job = EditJob(
      model: model, settings: settings, templates: templates, statistics: statistics, storesKeys: keys,
      compressionLevel: compressionLevel, author: author, licence: licence, note: note, isQuiet: quiet)
    Interruption.install()
    if let batchSize {
      let sequence = SequentialEdit(job: job, state: state, parents: parents, folder: output)
      let steps = try sequence.run(records, batchSize: batchSize, evaluates: !noEvaluation)
      SequenceReport(steps: steps).print(asJSON: json, profile)
    } else {
      let result = try job.run(records.map(\.fact), on: foundation, title: "values", output: output)
      EditReport(patch: result.patch, path: output, seconds: result.seconds).print(asJSON: json, profile)
    }
    profile.print(asJSON: json)
  }

  private func contextTemplates(_ model: LanguageModel, _ settings: EditSettings) throws -> ContextTemplates {
    guard let path = templates else {
      let lengths = settings.method == .rome ? [5, 5, 10, 10] : [10]
      return try ContextTemplates.sampled(from: model, lengths: lengths, seed: settings.seed)
    }
    guard let elements = try JSON.parse(contentsOf: path, malformed: .usage).arrayValue,
      case let texts = elements.compactMap(\.stringValue), texts.count == elements.count
    else { throw ErrataError(.usage, "\(path): context templates are a JSON array of strings") }
    return try ContextTemplates(texts)
  }
}

extension FactorTypes: ExpressibleByArgument {}
