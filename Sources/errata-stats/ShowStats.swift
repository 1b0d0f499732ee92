import ArgumentParser
import ToolSupport

struct ShowStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats show",
    abstract: "Says what second moments were collected from, and how well they can be inverted.",
    discussion: """
      An edit inverts C, the mean of k k^T. For each layer: how many tokens were counted for each value of a key (ten \
      are good, fewer than one is singular), the condition number of C (1-norm, estimated), the least share of a \
      feature that the features before it do not determine, and how many features are zero for every token.
      """,
    version: errataVersion)

  @Argument(help: "A file of 'errata stats'.")
  var file: String

  @Option(help: "Judge with this ridge, as 'errata edit --ridge' adds it.")
  var ridge = 0.0

  @OptionGroup
  var json: JSONOption

  func validate() throws {
    if !(ridge >= 0 && ridge.isFinite) { throw ValidationError("--ridge must be zero or more") }
  }

  func run() throws {
    json.give(try ConditionReport(file, ridge: ridge))
  }
}
