import ArgumentParser
import EditEvaluation
import Foundation
import KnowledgeEditing
import LinearAlgebra
import Tensors
import ToolSupport

@main
struct Main {
  static func main() {
    WidestKernels.use()
    ToolMain.run(Eval.self)
  }
}

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata eval",
    abstract: "Scores checkpoints on facts.",
    discussion: """
      ES: rewrite prompts at which the new target is more likely than the true one.
      PS: the same of paraphrases.
      NS: neighbourhood prompts at which the true target (or the answer that the record gives) is more likely than the \
      new one.
      S: their harmonic mean. P(new): the mean probability of the new target (per token, geometric mean).
      All in percent. Give the checkpoint before and after an edit to see both.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoints' directories.")
  var models: [String]

  @Option(help: "A facts file: CounterFact, zsRE, EasyEdit, or plain JSONL or CSV.")
  var facts: String

  @Option(help: "Which records of it, like 0-9 (default: all).")
  var records: String?

  @Flag(help: "Print the result, with every prompt's scores, as JSON.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  @OptionGroup
  var profile: ProfileOptions

  func run() throws {
    let records = try FactRecord.read(facts, selection: records)
    var results: [(model: String, scores: [RecordScore])] = []
    var descriptions: [JSON] = []
    for path in models {
      profile.start()
      let scorer = FactScorer(try Profile.measure("open the model") { try LanguageModel(path: path) })
      let progress = Progress("scoring \(path)", unit: "records", total: records.count, isQuiet: quiet)
      let scores = try Profile.measure("scores") {
        try scorer.score(records) {
          progress.update(completed: $0)
          return true
        }
      }
      progress.finish()
      results.append((path, scores))
      if json { descriptions.append(profile.adding(to: describe(path, scores, records))) }
      profile.print(asJSON: json)
    }
    if json {
      printJSON(.array(descriptions))
    } else {
      for line in ScoreTable.lines(results.map { ($0.model, ScoreSummary($0.scores)) }) { print(line) }
    }
  }

  private func describe(_ model: String, _ scores: [RecordScore], _ records: [FactRecord]) -> JSON {
    func prompts(_ scores: [PromptScore]) -> JSON {
      .array(
        scores.map {
          [
            "P(new)": .double($0.probabilityNew), "P(true)": $0.probabilityTrue.map { .double($0) } ?? .null,
          ]
        })
    }
    return [
      "model": JSON(model), "summary": ScoreSummary(scores).json,
      "cases": .array(
        zip(records, scores).map { record, score in
          [
            "fact": JSON(record.fact.identifier), "subject": JSON(record.fact.subject),
            "rewrite": prompts([score.rewrite]), "paraphrases": prompts(score.paraphrases),
            "neighborhood": prompts(score.neighborhood),
          ]
        }),
    ]
  }
}
