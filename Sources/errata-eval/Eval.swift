import Adapters
import ArgumentParser
import EditEvaluation
import FactReporting
import Facts
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import WeightPatch

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata eval",
    abstract: "Scores checkpoints: facts, generated text, perplexity, downstream tasks.",
    discussion: """
      Give the checkpoint before and after an edit: every later one is compared with the first. Behind each value \
      stands its standard error.

      --facts, in percent: ES, rewrite prompts at which the new target is more likely than the true one; PS, the same \
      of paraphrases; NS, neighbourhood prompts at which the true target (or the answer that the record gives) is more \
      likely than the new one; S, their harmonic mean. EM, PM, NM: by how much probability. P(new): the new target's \
      probability per token, the geometric mean; joint P(new): that of the whole target. acc: tokens of the target \
      (for the neighbourhood: of the right answer) that are the most likely ones, teacher-forced. kept: tokens \
      that are the same as the first checkpoint's.

      --facts with --generate: answered, greedy continuations that begin with the target (the right answer); exact, \
      and end there; same, that are the first checkpoint's. GE: the weighted entropy of pairs and triples of words in \
      texts sampled from the generation prompts, in bits times 100. RS: the TF-IDF cosine of those texts with \
      --references, times 100.

      --facts with --collateral: each fact's prompt is asked of the subjects of up to eight other facts, of those with \
      its relation or prompt first. taken: greedy continuations that begin with the fact's target all the same; same, \
      that are the first checkpoint's. What a later checkpoint takes, and the first one did not, is listed.

      --perplexity: windows slide over the text; each token is scored once. Each begins with the tokens that the \
      model's texts begin with.

      --downstream, in percent: sst2.jsonl, mrpc.jsonl, cola.jsonl, rte.jsonl and nli.jsonl, or their folder. \
      Accuracy, weighted F1 and Matthews' correlation of the more probable answer; with --generate also of the answer \
      that is written, and how often none is (invalid).

      --adapter and --patch score the first checkpoint once more, with low-rank changes beside its weights, in \
      float32, as a server does that has not merged them: what narrow numbers cost stands in the table.

      Ctrl-C prints what was measured so far; the exit code is then 1.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoints' directories.")
  var models: [String]

  @Option(
    parsing: .singleValue,
    help: "Score the first checkpoint also with this PEFT folder or GGUF adapter beside its weights. May be repeated.")
  var adapter: [String] = []

  @Option(parsing: .singleValue, help: "The same with a patch that is not applied. May be repeated.")
  var patch: [String] = []

  @Option(
    help: """
      A facts file: CounterFact, zsRE, EasyEdit, or plain JSONL or CSV, - for standard input; or a patch or an edited \
      checkpoint, for its facts (default, if nothing else is asked for: those that the checkpoints' ledgers name).
      """)
  var facts: String?

  @Option(help: "Which records of it, like 0-9 (default: all).")
  var records: String?

  @Flag(help: "Leave out records that cannot be used, each named on standard error, instead of refusing the file.")
  var skipInvalid = false

  @OptionGroup(title: "How facts are put")
  var form: FormOptions

  @OptionGroup
  var prefix: TargetPrefixOption

  @Flag(
    help: "Show each fact by itself: whether it holds, what the checkpoints say, how likely they find the target.")
  var perFact = false

  @Flag(help: "Of two checkpoints: show each fact before and after, and which of them the second one changed.")
  var explain = false

  @Option(
    help: ArgumentHelp(
      "Print the facts alone, as \(PerFactTable.Format.allCases.map(\.rawValue).joined(separator: ", ")).",
      discussion: "Goes with --per-fact and --explain."))
  var format: PerFactTable.Format?

  @Flag(help: "Ask the facts' prompts of other subjects too: whether those get the new targets.")
  var collateral = false

  @Flag(help: "Let the checkpoints write: answers, and texts from the generation prompts.")
  var generate = false

  @Option(help: "Reference texts by relation and target: ROME's attribute_snippets.json.")
  var references: String?

  @Option(help: "A text to measure perplexity on.")
  var perplexity: String?

  @Option(help: "Tokens of a window (default: 1024, or as many as the model has positions).")
  var window: Int?

  @Option(help: "Tokens from one window to the next (default: half a window).")
  var stride: Int?

  @Option(help: "Score no more than this many tokens of the text, from its beginning.")
  var perplexityTokens: Int?

  @Option(parsing: .upToNextOption, help: "Downstream tasks' files, or a folder of them.")
  var downstream: [String] = []

  @Option(help: "How many records of each task stand as examples before a question.")
  var shots: Int?

  @Option(help: "Ask no more than this many questions of each task.")
  var limit: Int?

  @Option(help: "The seed of what is drawn: sampled texts, examples.")
  var seed: UInt64 = 0

  @Option(
    help: "Write the metrics as CSV (model, section, metric, value, count, standard error); - for standard output.")
  var csv: String?

  @Option(help: "Write every record, text and question with its results as lines of JSON; - for standard output.")
  var cases: String?

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  @OptionGroup
  var profile: ProfileOptions

  func validate() throws {
    try require(facts != nil, [("--records", records != nil)], "--facts")
    try require(hasFacts || !downstream.isEmpty, [("--generate", generate)], "--facts or --downstream")
    try require(
      hasFacts,
      [
        ("--chat", form.chat),
        ("--target-prefix", prefix.targetPrefix != nil),
        ("--per-fact", perFact), ("--explain", explain), ("--collateral", collateral),
      ], "--facts")
    try require(perFact || explain, [("--format", format != nil)], "--per-fact or --explain")
    if explain, models.count != 2 { throw ValidationError("--explain is of two checkpoints, before and after") }
    if json.isGiven, format != nil { throw ValidationError("--json and --format exclude each other") }
    try require(facts != nil && generate, [("--references", references != nil)], "--facts and --generate")
    try require(
      perplexity != nil,
      [
        ("--window", window != nil), ("--stride", stride != nil), ("--perplexity-tokens", perplexityTokens != nil),
      ], "--perplexity")
    try require(!downstream.isEmpty, [("--shots", shots != nil), ("--limit", limit != nil)], "--downstream")
    if let window, window < 2 { throw ValidationError("--window must be 2 or more") }
    if let stride, stride < 1 { throw ValidationError("--stride must be positive") }
    if let window, let stride, stride > window { throw ValidationError("--stride must not exceed --window") }
    if let perplexityTokens, perplexityTokens < 2 { throw ValidationError("--perplexity-tokens must be 2 or more") }
    if let shots, shots < 0 { throw ValidationError("--shots must be zero or more") }
    if let limit, limit < 1 { throw ValidationError("--limit must be positive") }
    if cases == "-", json.isGiven || csv == "-" {
      throw ValidationError("of --json, --csv - and --cases - one at a time writes to standard output")
    }
    if csv == "-", json.isGiven { throw ValidationError("--json and --csv - exclude each other") }
  }

  /// Without anything else to measure, the ledgers' facts are measured.
  private var hasFacts: Bool { facts != nil || (perplexity == nil && downstream.isEmpty) }

  /// Of facts that the patches say they change, it is of interest whether they hold.
  private var judgesFacts: Bool { perFact || explain || (facts == nil && hasFacts) }

  private func require(_ isGiven: Bool, _ options: [(name: String, isGiven: Bool)], _ needed: String) throws {
    if !isGiven, let option = options.first(where: \.isGiven) {
      throw ValidationError("\(option.name) goes with \(needed) only")
    }
  }

  func run() throws {
    for path in [csv, cases].compactMap({ $0 }) where path != "-" {
      try AtomicFile.check(path: path) { isEarlierResult($0) }
    }
    var evaluation = try evaluation()
    let records = evaluation.records
    // What is wrong with a checkpoint is said before the work on others; what was looked at is what is measured.
    var opened = try models.map { path in
      let model = try LanguageModel(path: path, notice: printNotice)
      try evaluation.check(model)
      return (name: path, model: model)
    }
    if !adapter.isEmpty || !patch.isEmpty { opened.append(try served()) }
    Interruption.install()
    var reports: [EvaluationReport] = []
    let lines = ProgressLines(isQuiet: quiet)
    while !opened.isEmpty, !Interruption.isRequested {
      profile.start()
      // Let go of afterwards, with the memory that it computes in.
      let (name, model) = opened.removeFirst()
      evaluation.records = try records.map(try form.forms(model, prefix).applied)
      let result = try evaluation.run(model, named: name, base: reports.first?.result) { progress in
        lines.update(
          "\(name): \(progress.section)", unit: progress.unit, completed: progress.completed,
          of: progress.total, progress.remark)
        return !Interruption.isRequested
      }
      lines.finish()
      reports.append(
        EvaluationReport(
          result: result, before: explain ? reports.first?.result : nil, profile: profile.report))
    }
    try write(reports)
    if Interruption.isRequested {
      throw ErrataError.interrupted
    }
  }

  /// The first checkpoint with what stands beside its weights.
  private func served() throws -> (name: String, model: LanguageModel) {
    let checkpoint = try OpenedCheckpoint(path: models[0])
    let model = try checkpoint.model()
    let patches = try patch.map { try PatchFile(path: $0) }
    for changes in try LowRankAdapter.beside(checkpoint.state(), adapters: adapter, patches: patches) {
      changes.attach(to: model.decoder)
    }
    return (([models[0]] + adapter + patch).joined(separator: " + "), model)
  }

  private func evaluation() throws -> Evaluation {
    var evaluation = Evaluation()
    let invalid = InvalidRecords(areSkipped: skipInvalid) { printNotice("errata eval: \($0)") }
    evaluation.records = try facts.map { try FactRecord.read($0, selection: records, invalid: invalid) }
    if facts == nil, hasFacts {
      let recorded = try FactRecord.ofLedgers(models.map(HubCache.path(ofCheckpoint:)))
      guard !recorded.isEmpty else { throw ErrataError.nothingToScore }
      evaluation.records = recorded
    }
    evaluation.judgesFacts = judgesFacts
    evaluation.measuresCollateral = collateral
    evaluation.writes = generate
    evaluation.references = try references.map { try ReferenceTexts(contentsOf: $0) }
    evaluation.text = try perplexity.map { try PerplexityText(contentsOf: $0) }
    (evaluation.window, evaluation.stride, evaluation.perplexityTokens) = (window, stride, perplexityTokens)
    evaluation.tasks = try DownstreamSet.read(downstream, shots: shots ?? 0, seed: seed, limit: limit)
    evaluation.seed = seed
    if let references, let texts = evaluation.references, let records = evaluation.records {
      guard records.contains(where: { texts.covers($0) }) else { throw ErrataError.noReferences(references) }
    }
    return evaluation
  }

  private func write(_ reports: [EvaluationReport]) throws {
    let results = reports.map(\.result)
    if let csv {
      let lines = EvaluationFile.table(results).map { $0 + "\n" }.joined()
      if csv == "-" { print(text: lines) } else { try AtomicFile.write(Array(lines.utf8), to: csv) }
    }
    if let cases {
      let file = try openOutput(cases)
      for line in EvaluationFile.cases(results) { try file.write(line.serialized() + [UInt8(ascii: "\n")]) }
      try file.commit()
    }
    let table = PerFactTable(results, comparesWithFirst: explain)
    if let format { return table.print(format) }
    let facts = judgesFacts ? [""] + table.lines : []
    json.give(
      reports, of: models.count,
      lines: csv == "-" ? [] : EvaluationTable.lines(results) + facts + CollateralList.lines(results))
  }

  /// Whether a file is one that `--csv` or `--cases` wrote, and not, for example, the facts.
  private func isEarlierResult(_ path: String) -> Bool {
    guard let handle = FileHandle(forReadingAtPath: path), let start = try? handle.read(upToCount: 64) else {
      return false
    }
    let text = String(decoding: start, as: UTF8.self)
    return text.isEmpty || text.hasPrefix(EvaluationFile.header) || text.hasPrefix(EvaluationFile.caseStart)
  }
}
