import ArgumentParser
import EditEvaluation
import FactReporting
import Facts
import Foundation
import KnowledgeEditing
import MessagePassing
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

      Facts are read as CounterFact, multi-CounterFact and MQuAKE, zsRE (alt becomes the new target, the first of \
      answers is the old one) and EasyEdit have them, or from plain JSON lines or CSV with the columns prompt and \
      target: the subject stands in the prompt in braces ("The capital of {Australia} is"), or in a column subject. \
      Optional are target_true, relation, source, paraphrase and neighborhood.

      Values are searched for as many facts at once as fit into memory. Ctrl-C keeps what is found, and how far the \
      search is, in OUTPUT.partial; the same command continues from there, to the same patch.

      --part 3/8 searches the values of a part of the facts alone and writes them to OUTPUT: as many processes or \
      machines do the parts, in any order, and one that is lost is run again. With --values and the files of all parts \
      the edit is solved from them, to the byte the patch of one run (with equal ERRATA_THREADS and ERRATA_KERNELS).

      At the end stands how many facts hold: the model's greedy reply, with the patch, begins with the target.

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

  @Flag(help: "Leave out facts that the model knows already: its greedy reply begins with the target.")
  var skipKnown = false

  @OptionGroup(title: "How facts are put")
  var form: FormOptions

  @OptionGroup
  var prefix: TargetPrefixOption

  @Option(
    help: ArgumentHelp(
      "End with exit code 7 if a fact's whole target has a smaller probability than P, or, without P, does not hold.",
      valueName: "P"))
  var require: FactRequirement?

  @Flag(help: "Compute nothing: say what the model makes of the facts, as 'errata facts check' does.")
  var dryRun = false

  @Option(help: "The second moments that 'errata stats' collected for this model.")
  var stats: String

  @Option(help: "A JSON array of context templates with {} for the prompt (default: sampled from the model).")
  var templates: String?

  @OptionGroup(title: "Settings")
  var settings: SettingOptions

  @Flag(
    inversion: .prefixedNo,
    help: """
      Store the facts' keys in the patch, which makes it larger by two thirds or so: 'errata stack' then needs no \
      second moments to solve it together with others (default: for a batch of a sequence, on top of patches, and with \
      --protect).
      """)
  var keys: Bool?

  @Option(
    help: """
      Subjects that the edit leaves alone: a facts file, of which the prompts up to the subjects count, or a .txt with \
      one in each line. What the edit says at their last tokens is held as near zero as --protect-weight makes it.
      """)
  var protect: String?

  @Option(
    parsing: .unconditional,
    help: "How much each counts, beside 1 for the mean of ordinary text (default: 1); only with --protect.")
  var protectWeight: Double?

  @Option(
    parsing: .singleValue,
    help: "Compute on top of this patch, as if it were applied. May be repeated; a parent comes before its children.")
  var after: [String] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Edit so many facts at a time, each batch on top of those before: patches 001.wpatch and so on in the folder "
        + "OUTPUT.",
      valueName: "facts"))
  var batchSize: Int?

  @OptionGroup
  var part: PartOption

  @Option(
    parsing: .upToNextOption,
    help: "Solve with the values in these files, which --part wrote, instead of searching them.")
  var values: [String] = []

  @Flag(help: "With --batch-size: do not score all facts so far after each batch.")
  var noEvaluation = false

  @Option(name: [.short, .long], help: "The patch to write, - for standard output; or the folder of patches.")
  var output: String?

  @OptionGroup
  var replacement: ReplaceOption

  @Option(
    help: ArgumentHelp(
      "How to store the factors: auto, f32, f16, i8, or a type for A and one for B, like f16,i8.",
      discussion: "auto: float16 where that costs no fact a thousandth of what it asks for, else float32."))
  var factors: FactorTypes = .automatic

  @Option(parsing: .unconditional, help: "zstd's compression level, 1 to 22.")
  var compressionLevel = PatchWriter.defaultCompressionLevel

  @OptionGroup
  var origin: OriginOptions

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
    if output == nil, !dryRun { throw ValidationError("give --output: the patch to write") }
    if require != nil, noEvaluation {
      throw ValidationError("--require needs the evaluation that --no-evaluation leaves out")
    }
    if part.isGiven || !values.isEmpty {
      if part.isGiven && !values.isEmpty { throw ValidationError("--part and --values exclude each other") }
      if batchSize != nil { throw ValidationError("--part and --values are of one batch, without --batch-size") }
      if part.isGiven && (require != nil || output == "-") {
        throw ValidationError("--part writes values to a file; --require and -o - are for the patch")
      }
    }
    if let protectWeight {
      if protect == nil { throw ValidationError("--protect-weight goes with --protect") }
      if !(1e-12...1e12).contains(protectWeight) {
        throw ValidationError("--protect-weight must be from 1e-12 to 1e12")
      }
    }
    if noEvaluation, batchSize == nil { throw ValidationError("--no-evaluation goes with --batch-size") }
  }

  func run() throws {
    let group = ProcessGroup.world
    guard group.count > 1 else {
      defer { group.leave() }
      return try run(.alone)
    }
    do {
      if !group.isFirst { Notices.silence() }
      guard batchSize == nil, !part.isGiven, values.isEmpty else { throw ErrataError.notForProcesses }
      try run(group)
      group.leave()
    } catch let error as ErrataError {
      if group.isFirst {
        Failure.tell("errata edit", error)
      } else {
        // What fails for all is said by the first, which ends the others; they speak only of what is theirs alone.
        sleep(2)
        Failure.say("errata edit, process \(group.rank)", error)
      }
      group.abort(error.kind.rawValue)
    }
  }

  private func run(_ group: ProcessGroup) throws {
    profile.start()
    // What is cheap to check is checked before the model is opened.
    let part = try part.chosen()
    if part != nil, let output {
      try Editor.checkOutput(ofValues: output)
    } else if batchSize == nil, let output {
      try PatchWriter.checkOutput(output, inputs: after, replacing: replacement.isAllowed)
    }
    let invalid = InvalidRecords(areSkipped: skipInvalid) { printNotice("errata edit: \($0)") }
    let given = try FactRecord.read(facts, selection: records, areDistinct: !dryRun, invalid: invalid)
    let parents = try after.map { try PatchFile(path: $0) }
    let statistics = try SecondMoments(contentsOf: stats)
    let templates = try templates.map(ContextTemplates.init(contentsOf:))
    let protection = try protect.map {
      Protection(try FactRecord.subjects($0), weight: protectWeight ?? Protection.defaultWeight)
    }
    let base = try PatchedModel(OpenedCheckpoint(path: model, notice: printNotice), with: parents)
    let model = try base.model()
    let put = try form.forms(model, prefix).applied(to: given)
    if let remark = statistics.remark(for: model.tokenizer) { printNotice("errata edit: \(remark)") }
    var settings = try settings.settings(for: model, statistics: statistics)
    settings.factorTypes = factors
    if dryRun {
      if group.isFirst { try check(put, model, settings, templates) }
      return
    }
    let records = try known(try usable(put, model, invalid), model)
    let editor = try Editor(
      on: base, settings: settings, templates: templates, statistics: statistics,
      storesKeys: keys ?? (batchSize != nil || !base.parents.isEmpty || protection != nil), protection: protection)
    let unheld = try editor.unheldBatchCount()
    if unheld > 0 {
      printNotice(
        "errata edit: \(counted(unheld, "earlier batch", "earlier batches")) cannot be held: the keys are not stored, "
          + "and these second moments are not those of the patch")
    }
    Interruption.install()
    if let part { return try search(part, records, editor) }
    guard group.isFirst else { return try share(records, editor, group) }
    let summary =
      try batchSize == nil ? edit(records, editor, group) : editInSequence(records, editor, parents, statistics)
    if let require { try summary?.check(require) }
  }

  /// The facts that the tokenizer has tokens for.
  private func usable(
    _ records: [FactRecord], _ model: LanguageModel, _ invalid: InvalidRecords
  ) throws -> [FactRecord] {
    let (records, notes) = try FactPreflight(model.tokenizer).check(records, in: facts, invalid: invalid)
    for note in notes where !quiet { printNotice("errata edit: \(note)") }
    return records
  }

  /// The facts without those that need no edit, if they are to be skipped.
  private func known(_ records: [FactRecord], _ model: LanguageModel) throws -> [FactRecord] {
    guard skipKnown else { return records }
    let verdicts = try FactJudge(model).judge(records.map(\.fact))
    let unknown = zip(records, verdicts).filter { !$1.holds }.map(\.0)
    for (record, verdict) in zip(records, verdicts) where verdict.holds && !quiet {
      printNotice("errata edit: \(record.fact.label): known already; left out")
    }
    guard !unknown.isEmpty else { throw ErrataError.allFactsKnown(facts) }
    return unknown
  }

  private func check(
    _ records: [FactRecord], _ model: LanguageModel, _ settings: EditSettings, _ templates: ContextTemplates?
  ) throws {
    let check = try FactCheck(records, model)
    let estimate = try check.estimate(model, settings, templates)
    let report = FactCheckReport(check, path: facts, estimate: estimate)
    json.give(report)
    try report.requireUsable()
  }

  private func edit(_ records: [FactRecord], _ editor: Editor, _ group: ProcessGroup) throws -> FactSummary? {
    let output = output!
    let archive = ValueArchive(outputPath: output == "-" ? "errata-edit" : output)
    let lines = ProgressLines(isQuiet: quiet)
    let patch: Patch
    do {
      patch = try editor.edit(
        records.map(\.fact), origin: origin.origin(), archive: archive, values: values.isEmpty ? nil : values,
        among: group
      ) {
        lines.update("values", $0)
      }
    } catch let interruption as EditInterruption {
      throw ErrataError.interrupted(interruption)
    }
    let written = try Profile.measure("write the patch") {
      try patch.write(to: output, compressionLevel: compressionLevel)
    }
    if editor.settings.slackGoal != nil, !quiet {
      let lambdas = written.manifest.batches.flatMap { batch in
        batch.tensors.sorted { $0.key < $1.key }.map { batch.slack(of: $0.key).largest }
      }
      printNotice("errata edit: lambda \(boundedList(lambdas.map(formatNumber)))")
    }
    // The others remove what they have kept when the patch is there.
    _ = group.exchange([])
    archive.remove()
    lines.finish()
    let report = EditReport(
      patch: written, path: output, seconds: lines.secondsElapsed, verdicts: editor.verdicts, requirement: require,
      profile: profile.report)
    json.give(report)
    return report.summary
  }

  /// What the processes beside the first do.
  private func share(_ records: [FactRecord], _ editor: Editor, _ group: ProcessGroup) throws {
    let archive = ValueArchive(outputPath: output == "-" ? "errata-edit" : output!, rank: group.rank)
    do {
      try editor.shareSearch(of: records.map(\.fact), among: group, archive: archive) { _ in
        !Interruption.isRequested
      }
    } catch let interruption as EditInterruption {
      throw ErrataError.interrupted(interruption)
    }
    _ = group.exchange([])
    archive.remove()
  }

  private func search(_ part: Part, _ records: [FactRecord], _ editor: Editor) throws {
    let lines = ProgressLines(isQuiet: quiet)
    do {
      let count = try editor.searchValues(
        part, of: records.map(\.fact), archive: ValueArchive(outputPath: output!)
      ) { lines.update("values", $0) }
      lines.finish()
      json.give(
        PartReport(
          part: part, path: output!, found: count, factCount: records.count, seconds: lines.secondsElapsed,
          profile: profile.report))
    } catch let interruption as EditInterruption {
      throw ErrataError.interrupted(interruption)
    }
  }

  private func editInSequence(
    _ records: [FactRecord], _ editor: Editor, _ parents: [PatchFile], _ statistics: SecondMoments
  ) throws -> FactSummary? {
    let batchCount = (records.count + batchSize! - 1) / batchSize!
    let lines = ProgressLines(isQuiet: quiet)
    let sequence = SequentialEdit(editor, parents: parents, folder: output!, compressionLevel: compressionLevel)
    do {
      let steps = try sequence.run(
        records, batchSize: batchSize!, origin: self.origin.origin, evaluates: !noEvaluation
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
      let summary = steps.last?.verdicts.map { FactSummary(Array(zip(records.map(\.fact), $0))) }
      let movement = SequenceMovement(
        of: steps, in: output!, statistics: statistics,
        lambda: editor.settings.slack(factCount: max(2, records.count)))
      json.give(
        SequenceReport(
          steps: steps, summary: summary, requirement: require, movement: movement, profile: profile.report))
      return summary
    } catch let interruption as EditInterruption {
      throw ErrataError.interrupted(interruption)
    } catch let interruption as SequentialEdit.Interruption {
      throw ErrataError.interrupted(interruption)
    }
  }
}

extension ProgressLines {
  /// - Returns: false if the user has asked to stop.
  fileprivate func update(_ title: String, _ progress: EditProgress) -> Bool {
    update(
      title, unit: "steps", completed: progress.steps, of: progress.totalSteps, initial: progress.resumedSteps,
      "\(progress.completed) of \(progress.total) facts, \(progress.remark)")
    return !Interruption.isRequested
  }
}

extension FactorTypes: ExpressibleByArgument {}
