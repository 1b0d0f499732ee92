import ArgumentParser
import PatchAlgebra
import SecondMomentStatistics
import ToolSupport

struct MergeStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats merge",
    abstract: "Makes one file of the second moments of several texts.",
    discussion: """
      The files are of the same model and layers, and of different texts. Each counts by its number of tokens. What is \
      added are the binary32 means that the files hold, in binary64.
      """,
    version: errataVersion)

  @Argument(help: "Two or more files of 'errata stats'.")
  var files: [String]

  @Option(name: [.short, .long], help: "The file to write.")
  var output: String

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if files.count < 2 { throw ValidationError("give at least two files") }
  }

  func run() throws {
    try checkOutput(output, inputs: files)
    try SecondMoments.merge(files.map { try SecondMoments(contentsOf: $0) }, to: output)
    json.give(try ConditionReport(output))
  }
}
