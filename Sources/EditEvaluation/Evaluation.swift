import Dispatch
import Facts
import KnowledgeEditing
import Tensors

/// What is to be measured of checkpoints: facts, what they write, perplexity, downstream tasks.
///
///     var evaluation = Evaluation()
///     evaluation.records = try FactRecord.read("facts.json")
///     let before = try evaluation.run(LanguageModel(path: "model"))
///     let after = try evaluation.run(LanguageModel(path: "edited"), base: before)
///     after.metric("facts", "ES")
public struct Evaluation {
  /// The facts to score; nil for none.
  public var records: [FactRecord]?
  /// Whether each fact is looked at by itself: what the checkpoints say of it.
  public var judgesFacts = false
  /// Whether the facts' prompts are asked of other subjects too.
  public var measuresCollateral = false
  /// Whether the checkpoints write: answers to the facts' and the tasks' questions, and texts from generation prompts.
  public var writes = false
  public var references: ReferenceTexts?
  /// What to measure perplexity on, how, and on how many tokens at most; see `Perplexity.measure`.
  public var text: PerplexityText?
  public var window: Int?
  public var stride: Int?
  public var perplexityTokens: Int?
  public var tasks: [DownstreamSet] = []
  /// Of the texts that are sampled.
  public var seed: UInt64 = 0

  public init() {}

  /// How far the evaluation of a checkpoint is.
  public struct Progress: Sendable {
    /// As in `MetricSection`: "facts", "generation", "perplexity" or a task.
    public let section: String
    /// What is counted, in the plural.
    public let unit: String
    public let completed: Int
    public let total: Int
    /// For people; may be empty.
    public let remark: String
  }

  /// What can be known before long work: that the questions fit the model.
  ///
  /// - Throws: an `ErrataError` if one does not.
  public func check(_ model: LanguageModel) throws {
    for task in tasks { try DownstreamScorer(model, writes: writes).check(task) }
  }

  /// - Parameters:
  ///   - name: what the result calls the model; its path if nil.
  ///   - base: another checkpoint's results, which this one's are compared with.
  ///   - onProgress: false ends early; the result is then partial.
  /// - Throws: an `ErrataError` if a prompt does not fit the model, or if it computes what is not a number.
  public func run(
    _ model: LanguageModel, named name: String? = nil, base: ModelEvaluation? = nil,
    onProgress: (Progress) -> Bool = { _ in true }
  ) throws -> ModelEvaluation {
    try withoutActuallyEscaping(onProgress) { onProgress in
      var run = Run(evaluation: self, model: model, name: name, onProgress: onProgress)
      try run.measure(comparingTo: base)
      run.result.isPartial = run.isStopped
      return run.result
    }
  }
}

/// What was measured of one checkpoint.
public struct ModelEvaluation: Sendable {
  /// Its path, or what it was called.
  public let model: String
  public internal(set) var records: [FactRecord] = []
  public internal(set) var scores: [RecordScore]?
  /// Of each record's fact; nil if they were not looked at.
  public internal(set) var verdicts: [FactVerdict]?
  public internal(set) var collateral: Collateral?
  public internal(set) var generations: [RecordGeneration]?
  public internal(set) var perplexity: Perplexity?
  public internal(set) var downstream: [(set: DownstreamSet, result: DownstreamResult)] = []
  public internal(set) var sections: [MetricSection] = []
  /// How long each section took, in seconds.
  public internal(set) var seconds: [String: Double] = [:]
  /// Whether it was stopped before all was measured.
  public internal(set) var isPartial = false

  public func metric(_ section: String, _ name: String) -> Metric? {
    sections.first { $0.name == section }?.metrics.first { $0.name == name }
  }
}

/// The evaluation of one model on its way.
private struct Run {
  let evaluation: Evaluation
  let model: LanguageModel
  let onProgress: (Evaluation.Progress) -> Bool
  var result: ModelEvaluation
  var isStopped = false

  init(
    evaluation: Evaluation, model: LanguageModel, name: String?, onProgress: @escaping (Evaluation.Progress) -> Bool
  ) {
    self.evaluation = evaluation
    self.model = model
    self.onProgress = onProgress
    result = ModelEvaluation(model: name ?? model.checkpoint.path)
  }

  mutating func measure(comparingTo base: ModelEvaluation?) throws {
    if let records = evaluation.records {
      result.records = records
      try score(records, base)
      if evaluation.judgesFacts, !isStopped { try judge(records) }
      if evaluation.measuresCollateral, !isStopped {
        try Profile.measure("collateral") { try measureCollateral(records, base) }
      }
      if evaluation.writes, !isStopped {
        try Profile.measure("generation") { try generate(records, base) }
      }
    }
    if let text = evaluation.text, !isStopped {
      try Profile.measure("perplexity") { try measurePerplexity(text) }
    }
    for task in evaluation.tasks where !isStopped {
      try Profile.measure(task.task.rawValue) { try ask(task) }
    }
  }

  private mutating func score(_ records: [FactRecord], _ base: ModelEvaluation?) throws {
    let start = now()
    let scores = try Profile.measure("scores") {
      try FactScorer(model).score(records) { tell("facts", "records", $0, records.count) }
    }
    result.scores = scores
    let kept = base?.scores.flatMap { ScoreSummary.locality(of: scores, comparedTo: $0) }
    add("facts", ScoreSummary(scores).metrics + [kept].compactMap { $0 }, since: start)
  }

  private mutating func judge(_ records: [FactRecord]) throws {
    let verdicts = try Profile.measure("verdicts") {
      try FactJudge(model).judge(records.map(\.fact)) { tell("verdicts", "facts", $0, records.count) }
    }
    if verdicts.count == records.count { result.verdicts = verdicts }
  }

  private mutating func measureCollateral(_ records: [FactRecord], _ base: ModelEvaluation?) throws {
    let start = now()
    let collateral = try Collateral.measure(records, model) { tell("collateral", "prompts", $0, $1) }
    result.collateral = collateral
    add("collateral", collateral.metrics(comparedTo: base?.collateral), since: start)
  }

  private mutating func generate(_ records: [FactRecord], _ base: ModelEvaluation?) throws {
    let start = now()
    let generator = FactGenerator(model, references: evaluation.references, seed: evaluation.seed)
    let generations = try generator.generate(records) { done, tokens in
      let rate = Int(Double(tokens) / max(seconds(since: start), 1e-9))
      return tell("generation", "records", done, records.count, "\(rate) tokens/s")
    }
    result.generations = generations
    let same = base?.generations.flatMap { GenerationSummary.locality(of: generations, comparedTo: $0) }
    add("generation", GenerationSummary.metrics(generations) + [same].compactMap { $0 }, since: start)
  }

  private mutating func measurePerplexity(_ text: PerplexityText) throws {
    let start = now()
    let perplexity = try Perplexity.measure(
      model, text, window: evaluation.window, stride: evaluation.stride, maximumTokens: evaluation.perplexityTokens
    ) { tell("perplexity", "tokens", $0, $1) }
    result.perplexity = perplexity
    add("perplexity", perplexity.metrics, since: start)
  }

  private mutating func ask(_ task: DownstreamSet) throws {
    let start = now()
    let name = task.task.rawValue
    let answered = try DownstreamScorer(model, writes: evaluation.writes).score(task) {
      tell(name, "questions", $0, task.questions.count)
    }
    result.downstream.append((task, answered))
    add(name, answered.metrics, since: start)
  }

  private mutating func tell(
    _ section: String, _ unit: String, _ completed: Int, _ total: Int, _ remark: String = ""
  ) -> Bool {
    let progress = Evaluation.Progress(
      section: section, unit: unit, completed: completed, total: total, remark: remark)
    if !onProgress(progress) { isStopped = true }
    return !isStopped
  }

  private mutating func add(_ section: String, _ metrics: [Metric], since start: UInt64) {
    result.sections.append(MetricSection(section, metrics))
    result.seconds[section] = seconds(since: start)
  }

  private func now() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

  private func seconds(since start: UInt64) -> Double { Double(now() - start) * 1e-9 }
}
