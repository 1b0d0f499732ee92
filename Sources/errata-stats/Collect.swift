import ArgumentParser
import KnowledgeEditing
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport
import Transformer

struct Stats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats",
    abstract: "Collects the second moments that an edit needs, from texts.",
    discussion: """
      Runs the text through the model and averages k k^T over the tokens, where k is the input of a layer's \
      down-projection. All layers are collected in one pass; layers above the last one are not computed.

      The special tokens that the tokenizer puts around a text (a token for its beginning, in Llama and Gemma) stand \
      around each sequence and are counted with it, as in the ROME and MEMIT code; the file says which.

      Ctrl-C keeps what was counted in OUTPUT.partial; the same command continues from there.

      --part 3/8 counts every eighth sequence, from the third on: of the eight files, which as many processes or \
      machines make, 'errata stats merge' makes one. One that is lost is made again alone.

      Of files that were collected:
        errata stats show FILE                   says how well they can be inverted
        errata stats factor FILE                 keeps their factors, for edits of large models
        errata stats merge FILE ... -o FILE      makes one of several texts' files
        errata stats import MODEL NPZ ... -o FILE  converts those of the ROME and MEMIT code
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Option(
    help: """
      A UTF-8 text file of ordinary text, or a .jsonl with an object in each line; may be given again for further \
      files. Each file, and each line of a .jsonl, is a document.
      """)
  var text: [String]

  @Option(help: "The field that holds the text in a .jsonl (default: text).")
  var field: String?

  @Option(help: "The layers to collect, like 5, 3,4,5 or 3-5 (default: those that 'errata edit' would edit).")
  var layers: String?

  @Option(help: "How many tokens to count (default: 100000, or 10 times the key length if that is more).")
  var tokens: Int?

  @Option(help: "How many tokens stand in one sequence.")
  var sequenceLength = 512

  @OptionGroup
  var part: PartOption

  @Flag(help: "Write nothing: say how long it takes here, and how much memory.")
  var dryRun = false

  @Option(name: [.short, .long], help: "The file to write.")
  var output: String?

  @OptionGroup
  var json: JSONOption

  @Flag(help: "Show no progress.")
  var quiet = false

  @OptionGroup
  var profile: ProfileOptions

  func validate() throws {
    if let tokens, tokens < 1 { throw ValidationError("--tokens must be positive") }
    if output == nil, !dryRun { throw ValidationError("give --output: the file to write") }
    if sequenceLength < 1 { throw ValidationError("--sequence-length must be positive") }
  }

  func run() throws {
    profile.start()
    let output = output ?? ""
    if !dryRun { try checkOutput(output) }
    let layers = try self.layers.map(parseLayers)
    let part = try part.chosen()
    let model = try Profile.measure("open the model") { try LanguageModel(path: self.model, notice: printNotice) }
    let wanted = tokens ?? SecondMomentCollector.defaultTokenCount(model.architecture)
    let collector = try SecondMomentCollector(
      model, corpus: try Corpus(paths: text, field: field), layers: layers ?? chosenLayers(model.architecture),
      tokenCount: wanted, sequenceLength: sequenceLength, part: part, outputPath: output)
    if dryRun {
      json.give(try CollectionEstimate(collector.estimate(), layers: collector.layers))
      return
    }
    Interruption.install()
    var progress: Progress?
    let outcome = try collector.run(
      onProgress: { state in
        let line =
          progress
          ?? Progress(
            "second moments", unit: "tokens", total: state.total, initial: state.resumedTokens, isQuiet: quiet)
        progress = line
        line.update(completed: state.tokens)
      }, isInterrupted: { Interruption.isRequested })
    progress?.finish()
    switch outcome {
    case .interrupted(let tokens, let partialPath):
      throw ErrataError.interrupted(after: tokens, keptIn: partialPath)
    case .complete(let counted):
      if counted < collector.wantedTokens {
        printNotice(
          "errata stats: the text ended after \(counted) of \(min(wanted, collector.wantedTokens)) tokens; give more "
            + "with a further --text, unless the verdict is good")
      }
      var report = try Profile.measure("condition of C") { try ConditionReport(output) }
      report.profile = profile.report
      json.give(report)
    }
  }
}

extension Stats {
  /// Those that 'errata edit' would edit, or may choose from.
  private func chosenLayers(_ architecture: Architecture) -> [Int] {
    if let preset = Preset.matching(architecture) {
      return Set(EditMethod.allCases.flatMap { preset.settings(for: $0).layers }).sorted()
    }
    let layers = LayerProposal.candidates(of: architecture.layerCount)
    printNotice(
      "errata stats: no preset fits this model: collecting \(inflected(layers.count, "layer")) "
        + "\(layers.map(String.init).joined(separator: ", ")) of \(architecture.layerCount), about a sixth of the way "
        + "up; choose with --layers")
    return layers
  }
}

/// Before long work: the output can be written, and replaces nothing but an earlier result.
///
/// - Parameter inputs: the paths of second moments that it is made from, which it does not replace either.
func checkOutput(_ path: String, inputs: [String] = []) throws {
  try AtomicFile.check(path: path, inputs: inputs) { (try? SecondMoments(contentsOf: $0)) != nil }
}
