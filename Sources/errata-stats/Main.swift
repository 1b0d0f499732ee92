import ArgumentParser
import KnowledgeEditing
import LinearAlgebra
import PatchAlgebra
import Tensors
import ToolSupport

@main
struct Main {
  static func main() {
    WidestKernels.use()
    ToolMain.run(Stats.self)
  }
}

struct Stats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats",
    abstract: "Collects the second moments that an edit needs, from a text.",
    discussion: """
      Runs the text through the model and averages k k^T over the tokens, where k is the input of a layer's \
      down-projection. All layers are collected in one pass; layers above the last one are not computed.

      Ctrl-C keeps what was counted in OUTPUT.partial; the same command continues from there.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory.")
  var model: String

  @Option(help: "A UTF-8 text file of ordinary text.")
  var text: String

  @Option(help: "The layers to collect, like 5, 3,4,5 or 3-5 (default: those that 'errata edit' would edit).")
  var layers: String?

  @Option(help: "How many tokens to count (default: 100000, or 10 times the key length if that is more).")
  var tokens: Int?

  @Option(help: "How many tokens stand in one sequence.")
  var sequenceLength = 512

  @Option(name: [.short, .long], help: "The file to write.")
  var output: String

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    if let tokens, tokens < 1 { throw ValidationError("--tokens must be positive") }
    if sequenceLength < 1 { throw ValidationError("--sequence-length must be positive") }
  }

  func run() throws {
    try AtomicFile.check(path: output) { (try? SecondMoments(contentsOf: $0)) != nil }
    let layers = try self.layers.map(parseLayers)
    let model = try LanguageModel(path: model)
    let presetLayers = EditMethod.allCases.flatMap { Preset.settings($0, for: model.architecture).layers }
    let collector = try SecondMomentCollector(
      model, corpusPath: text, layers: layers ?? Set(presetLayers).sorted(),
      tokenCount: tokens ?? SecondMomentCollector.defaultTokenCount(model.architecture),
      sequenceLength: sequenceLength, outputPath: output)
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
      throw ErrataError(
        .general, "interrupted after \(tokens) tokens, kept in \(partialPath); run the same command to continue")
    case .complete(let tokens):
      try report(tokens: tokens, keyLength: model.architecture.intermediateSize)
    }
  }

  private func report(tokens: Int, keyLength: Int) throws {
    let written = try SecondMoments(contentsOf: output)
    if json {
      printJSON([
        "output": JSON(output), "tokens": .integer(tokens), "layers": .array(written.layers.map { .integer($0) }),
        "digest": JSON(written.digest.description),
      ])
      return
    }
    print(
      "\(output): second moments of layer\(written.layers.count == 1 ? "" : "s") "
        + "\(written.layers.map(String.init).joined(separator: ", ")) over \(tokens) tokens of "
        + "\(written.origin.corpus)")
    if tokens < 2 * keyLength {
      printNotice(
        "errata stats: only \(tokens) tokens for keys of \(keyLength) values: expect edits to spill; "
          + "\(10 * keyLength) tokens are better")
    }
  }
}
