import ArgumentParser
import EditEvaluation
import Facts
import Foundation
import KnowledgeEditing
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport
import Transformer
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

      Supported are, by the model_type of config.json: \
      \(Family.all.map { "\($0.modelType) (\($0.models))" }.joined(separator: "; ")).
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Option(help: "A facts file: CounterFact, MQuAKE, zsRE, EasyEdit, or plain JSONL or CSV; - for standard input.")
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

  @Option(name: [.short, .long], help: "The patch to write, - for standard output; or the folder of patches.")
  var output: String

  @OptionGroup
  var replacement: ReplaceOption

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

  @OptionGroup
  var json: JSONOption

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
    if batchSize == nil { try PatchWriter.checkOutput(output, inputs: after, replacing: replacement.isAllowed) }
    let invalid = InvalidRecords(areSkipped: skipInvalid) { printNotice("errata edit: \($0)") }
    let given = try FactRecord.read(facts, selection: records, areDistinct: true, invalid: invalid)
    let parents = try after.map { try PatchFile(path: $0) }
    let statistics = try SecondMoments(contentsOf: stats)
    let templates = try templates.map(ContextTemplates.init(contentsOf:))
    let base = try PatchedModel(OpenedCheckpoint(path: model, notice: printNotice), with: parents)
    let model = try base.model()
    let (records, notes) = try FactPreflight(model.tokenizer).check(given, in: facts, invalid: invalid)
    if let remark = statistics.remark(for: model.tokenizer) { printNotice("errata edit: \(remark)") }
    for note in notes where !quiet { printNotice("errata edit: \(note)") }
    var settings = try settings.settings(for: model, statistics: statistics)
    settings.factorTypes = factors
    let editor = try Editor(
      on: base, settings: settings, templates: templates, statistics: statistics, storesKeys: keys)
    Interruption.install()
    if batchSize == nil { try edit(records, editor) } else { try editInSequence(records, editor, parents) }
  }

  private func edit(_ records: [FactRecord], _ editor: Editor) throws {
    let archive = ValueArchive(outputPath: output == "-" ? "errata-edit" : output)
    let lines = ProgressLines(isQuiet: quiet)
    let patch: Patch
    do {
      patch = try editor.edit(records.map(\.fact), origin: origin(), archive: archive) { lines.update("values", $0) }
    } catch let interruption as EditInterruption {
      throw ErrataError.interrupted(interruption)
    }
    let written = try Profile.measure("write the patch") {
      try patch.write(to: output, compressionLevel: compressionLevel)
    }
    archive.remove()
    lines.finish()
    json.give(EditReport(patch: written, path: output, seconds: lines.secondsElapsed, profile: profile.report))
  }

  private func editInSequence(_ records: [FactRecord], _ editor: Editor, _ parents: [PatchFile]) throws {
    let batchCount = (records.count + batchSize! - 1) / batchSize!
    let lines = ProgressLines(isQuiet: quiet)
    let sequence = SequentialEdit(editor, parents: parents, folder: output, compressionLevel: compressionLevel)
    do {
      let steps = try sequence.run(
        records, batchSize: batchSize!, origin: self.origin, evaluates: !noEvaluation
      ) { progress in
        switch progress {
        case .editing(let batch, let progress):
          return lines.update("values \(batch + 1)/\(batchCount)", progress)
        case .scoring(let batch, let completed, let total):
          lines.update("scores \(batch + 1)/\(batchCount)", unit: "records", completed: completed, of: total)
          return !Interruption.isRequested
        }
      }
      lines.finish()
      json.give(SequenceReport(steps: steps, profile: profile.report))
    } catch let interruption as EditInterruption {
      throw ErrataError.interrupted(interruption)
    } catch let interruption as SequentialEdit.Interruption {
      throw ErrataError.interrupted(interruption)
    }
  }

  private func origin() -> PatchOrigin {
    PatchOrigin(
      created: timestamp(), tool: Manifest.Tool(name: "errata", version: errataVersion), author: author,
      licence: licence, note: note)
  }
}

extension ProgressLines {
  /// - Returns: false if the user has asked to stop.
  fileprivate func update(_ title: String, _ progress: EditProgress) -> Bool {
    update(
      title, unit: "facts", completed: progress.completed, of: progress.total, initial: progress.resumed,
      progress.remark)
    return !Interruption.isRequested
  }
}

extension FactorTypes: ExpressibleByArgument {}
