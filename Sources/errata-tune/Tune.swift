import ArgumentParser
import EditEvaluation
import Facts
import KnowledgeEditing
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport
import WeightPatch

struct Tune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata tune",
    abstract: "Picks layer, clamp and w for a model by trying them on facts.",
    discussion: """
      Every combination is solved and scored on the given facts, in memory: nothing is changed. S, the harmonic mean \
      of ES, PS and NS (see 'errata eval'), decides, then P(new). Give facts with a true target, paraphrases and \
      neighbourhood prompts, and other facts than those that will be edited.

      'errata edit --hparams FILE' takes what was picked from the file that -o writes.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Option(help: "A facts file in CounterFact schema.")
  var facts: String

  @Option(help: "Which records of it, like 0-9 (default: all).")
  var records: String?

  @Flag(help: "Leave out records that cannot be used, each named on standard error, instead of refusing the file.")
  var skipInvalid = false

  @Option(help: "The second moments that 'errata stats' collected for this model.")
  var stats: String

  @Option(help: "emmet or memit.")
  var method = "emmet"

  @Option(help: "The layers to try, like 3-8 (default: all that the second moments are of).")
  var layers: String?

  @Option(help: "The clamps to try, like 0.75,4.")
  var clamps = "0.75,2,4"

  @Option(name: [.long, .customShort("w")], help: "The values of w to try.")
  var secondMomentWeights = "1,100,10000"

  @Option(parsing: .unconditional, help: "The most steps of a value search.")
  var steps = 25

  @Option(parsing: .unconditional, help: "The value search's weight decay.")
  var weightDecay = 1e-3

  @Option(parsing: .unconditional, help: "Add this share of the mean diagonal to the diagonal of the second moments.")
  var ridge = 0.0

  @Option(parsing: .unconditional, help: "The seed of the sampled context templates.")
  var seed: UInt64 = 0

  @Option(name: [.short, .long], help: "Write the best settings, for 'errata edit --hparams'; - for standard output.")
  var output: String?

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  private var editMethod: EditMethod? { EditMethod(rawValue: method).flatMap { $0 == .rome ? nil : $0 } }

  func validate() throws {
    guard editMethod != nil else { throw ValidationError("--method must be emmet or memit") }
    _ = try numbers(clamps, "--clamps", allowsZero: false)
    _ = try numbers(secondMomentWeights, "--second-moment-weights")
    if steps < 1 { throw ValidationError("--steps must be positive") }
    if !(weightDecay >= 0) || !weightDecay.isFinite { throw ValidationError("--weight-decay must be zero or more") }
    if !(ridge >= 0) || !ridge.isFinite { throw ValidationError("--ridge must be zero or more") }
  }

  private func numbers(_ text: String, _ option: String, allowsZero: Bool = true) throws -> [Double] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map {
      guard let number = Double($0), number.isFinite, allowsZero ? number >= 0 : number > 0 else {
        throw ValidationError(
          "\(option) must be \(allowsZero ? "numbers of zero or more" : "positive numbers") like 0.75,4, found "
            + "'\(text)'"
        )
      }
      return number
    }
  }

  func run() throws {
    if let output, output != "-" {
      try AtomicFile.check(path: output) { (try? HyperparameterFile(contentsOf: $0)) != nil }
    }
    let layers = try self.layers.map(parseLayers)
    let invalid = InvalidRecords(areSkipped: skipInvalid) { printNotice("errata tune: \($0)") }
    let records = try FactRecord.read(facts, selection: records, areDistinct: true, invalid: invalid)
    let statistics = try SecondMoments(contentsOf: stats)
    let base = try PatchedModel(OpenedCheckpoint(path: model, notice: printNotice))
    if let remark = statistics.remark(for: try base.model().tokenizer) { printNotice("errata tune: \(remark)") }
    let put = try FactForms(base.model()).applied(to: records)
    let search = try SettingSearch(
      on: base,
      grid: SettingSearch.Grid(
        layers: layers ?? statistics.layers, clampNormFactors: try numbers(clamps, "--clamps", allowsZero: false),
        secondMomentWeights: try numbers(secondMomentWeights, "--second-moment-weights")),
      settings: EditSettings(
        method: editMethod!, layers: [], steps: steps, weightDecay: weightDecay, ridge: ridge, seed: seed),
      statistics: statistics)
    Interruption.install()
    let progress = Progress("settings", unit: "trials", total: search.grid.count, isQuiet: quiet)
    let trials = try search.run(put) { done, remark in
      progress.update(completed: done, remark)
      return !Interruption.isRequested
    }
    progress.finish()
    guard let trials else { throw ErrataError.interrupted }
    let report = TuneReport(trials: trials, output: output)
    if let output {
      let sink = try openOutput(output)
      try sink.write(report.hyperparameters.prettyPrinted().utf8)
      try sink.commit()
    }
    json.give(report)
  }
}
