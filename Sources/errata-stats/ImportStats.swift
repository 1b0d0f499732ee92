import ArgumentParser
import KnowledgeEditing
import SecondMomentStatistics
import ToolSupport

struct ImportStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats import",
    abstract: "Converts the second moments of the ROME and MEMIT code (.npz, as on rome.baulab.info).",
    discussion: """
      Each file is of one layer: the one that its name begins with, as in \
      transformer.h.17.mlp.c_proj_float32_mom2_100000.npz, or the one that --layers says. The files say nothing of the \
      model but the length of its keys, so that they are of MODEL is taken on trust.
      """,
    version: errataVersion)

  @Argument(help: "The checkpoint's directory, or the model's name in the download cache.")
  var model: String

  @Argument(help: "The files, one for each layer.")
  var files: [String]

  @Option(help: "The files' layers in order, like 5, 3,4,5 or 3-5.")
  var layers: String?

  @Option(name: [.short, .long], help: "The file to write.")
  var output: String

  @OptionGroup
  var json: JSONOption

  func run() throws {
    try checkOutput(output)
    let layers = try self.layers.map(parseLayers)
    if let layers, layers.count != files.count {
      throw ValidationError("--layers names \(layers.count) layers for \(files.count) files")
    }
    let model = try LanguageModel(path: model, notice: printNotice)
    let archives = try files.enumerated().map { index, path in
      try NumpySecondMoments(path: path, layer: layers?[index], of: model)
    }
    try NumpySecondMoments.convert(archives, of: model, to: output)
    json.give(try ConditionReport(output))
  }
}
