import EditEvaluation
import KnowledgeEditing
import Tensors
import ToolSupport

/// What was measured of one checkpoint.
struct ModelEvaluation {
  let model: String
  var records: [FactRecord] = []
  var scores: [RecordScore]?
  var generations: [RecordGeneration]?
  var perplexity: Perplexity?
  var downstream: [(set: DownstreamSet, result: DownstreamResult)] = []
  var sections: [MetricSection] = []
  /// How long each section took, in seconds.
  var seconds: [String: Double] = [:]
  /// Whether it was interrupted before all was measured.
  var isPartial = false
}

/// What is to be measured of every checkpoint.
struct Evaluation {
  let records: [FactRecord]?
  let writes: Bool
  let references: ReferenceTexts?
  let text: PerplexityText?
  let window: Int?
  let stride: Int?
  let perplexityTokens: Int?
  let tasks: [DownstreamSet]
  let seed: UInt64
  let isQuiet: Bool

  /// Checks what can be known before long work: that a checkpoint can be opened, and that the questions fit it.
  func check(_ path: String) throws {
    let model = try LanguageModel(path: path, notice: printNotice)
    for task in tasks { try DownstreamScorer(model, writes: writes).check(task) }
  }

  /// - Parameter base: the first checkpoint's results, which a later one's are compared with.
  func run(_ path: String, base: ModelEvaluation?) throws -> ModelEvaluation {
    let model = try Profile.measure("open the model") { try LanguageModel(path: path, notice: printNotice) }
    var result = ModelEvaluation(model: path)
    if let records {
      result.records = records
      try score(records, model, &result, base)
      if writes, !Interruption.isRequested {
        try Profile.measure("generation") { try generate(records, model, &result, base) }
      }
    }
    if let text, !Interruption.isRequested {
      try Profile.measure("perplexity") { try measurePerplexity(text, model, &result) }
    }
    for task in tasks where !Interruption.isRequested {
      try Profile.measure(task.task.rawValue) { try ask(task, model, &result) }
    }
    result.isPartial = Interruption.isRequested
    return result
  }

  private func score(
    _ records: [FactRecord], _ model: LanguageModel, _ result: inout ModelEvaluation, _ base: ModelEvaluation?
  ) throws {
    let progress = Progress("\(result.model): facts", unit: "records", total: records.count, isQuiet: isQuiet)
    let scores = try Profile.measure("scores") {
      try FactScorer(model).score(records) {
        progress.update(completed: $0)
        return !Interruption.isRequested
      }
    }
    progress.finish()
    result.scores = scores
    let kept = base?.scores.flatMap { ScoreSummary.locality(of: scores, comparedTo: $0) }
    result.add("facts", ScoreSummary(scores).metrics + [kept].compactMap { $0 }, progress)
  }

  private func generate(
    _ records: [FactRecord], _ model: LanguageModel, _ result: inout ModelEvaluation, _ base: ModelEvaluation?
  ) throws {
    let progress = Progress("\(result.model): generation", unit: "records", total: records.count, isQuiet: isQuiet)
    let generations = try FactGenerator(model, references: references, seed: seed).generate(records) { done, tokens in
      progress.update(completed: done, "\(Int(Double(tokens) / max(progress.secondsElapsed, 1e-9))) tokens/s")
      return !Interruption.isRequested
    }
    progress.finish()
    result.generations = generations
    let same = base?.generations.flatMap { GenerationSummary.locality(of: generations, comparedTo: $0) }
    result.add("generation", GenerationSummary.metrics(generations) + [same].compactMap { $0 }, progress)
  }

  private func measurePerplexity(
    _ text: PerplexityText, _ model: LanguageModel, _ result: inout ModelEvaluation
  ) throws {
    var progress: Progress?
    let clock = Progress("", unit: "", total: 0, isQuiet: true)
    let perplexity = try Perplexity.measure(
      model, text, window: window, stride: stride, maximumTokens: perplexityTokens
    ) { done, total in
      if progress == nil {
        progress = Progress("\(result.model): perplexity", unit: "tokens", total: total, isQuiet: isQuiet)
      }
      progress?.update(completed: done)
      return !Interruption.isRequested
    }
    progress?.finish()
    result.perplexity = perplexity
    result.add("perplexity", perplexity.metrics, clock)
  }

  private func ask(_ task: DownstreamSet, _ model: LanguageModel, _ result: inout ModelEvaluation) throws {
    let name = task.task.rawValue
    let progress = Progress(
      "\(result.model): \(name)", unit: "questions", total: task.questions.count, isQuiet: isQuiet)
    let answered = try DownstreamScorer(model, writes: writes).score(task) {
      progress.update(completed: $0)
      return !Interruption.isRequested
    }
    progress.finish()
    result.downstream.append((task, answered))
    result.add(name, answered.metrics, progress)
  }
}

extension ModelEvaluation {
  fileprivate mutating func add(_ section: String, _ metrics: [Metric], _ clock: Progress) {
    sections.append(MetricSection(section, metrics))
    seconds[section] = clock.secondsElapsed
  }

  func metric(_ section: String, _ name: String) -> Metric? {
    sections.first { $0.name == section }?.metrics.first { $0.name == name }
  }
}
