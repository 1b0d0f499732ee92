import ArgumentParser
import ToolSupport
import WeightPatch

struct Show: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata show",
    abstract: "Says what a patch changes, where it comes from, and what it costs.",
    discussion: """
      Everything is read or computed from the patch alone, without model or text:
        preservation   how much ordinary text is disturbed, tr(A G A^T) = E |D k|^2; as a share of the mean squared
                       output where the patch records that
        short          how far a fact falls short of its residual, |D k - r| / |r|, in the layer where it is worst
      'errata resolve --tradeoff' computes both for other slacks.
      The whole file is checked first: seal, checksums, digests, sizes.
      """,
    version: errataVersion)

  @Argument(help: "A .wpatch file.")
  var file: String

  @Flag(help: "Print the result as JSON.")
  var json = false

  func run() throws {
    let reader = try PatchReader(path: file)
    let report = PatchReport(try reader.read(), path: file, byteCount: reader.byteCount)
    if json {
      printJSON(report.json)
    } else {
      for line in report.lines { print(line) }
    }
  }
}
