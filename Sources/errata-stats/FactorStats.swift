import ArgumentParser
import Foundation
import PatchAlgebra
import Tensors
import ToolSupport

struct FactorStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats factor",
    abstract: "Keeps the Cholesky factors of second moments, so that edits of large models need not make them.",
    discussion: """
      They are written beside the file, as FILE.factors, where 'errata edit' finds them. With keys of 11008 values a factor \
      takes 445 billion operations to make and 485 MB to keep; with 1536 values it is not worth while.
      """,
    version: errataVersion)

  @Argument(help: "A file of 'errata stats'.")
  var file: String

  @Option(help: "Only these layers, such as 3-5 (default: all).")
  var layers: String?

  @Option(help: "For edits with this --ridge.")
  var ridge = 0.0

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(help: "Show no progress.")
  var quiet = false

  func validate() throws {
    if !(ridge >= 0 && ridge.isFinite) { throw ValidationError("--ridge must be zero or more") }
  }

  func run() throws {
    let statistics = try SecondMoments(contentsOf: file)
    let layers = try layers.map(parseLayers) ?? statistics.layers
    let path = SecondMomentFactors.path(of: file)
    let progress = Progress("factors", unit: "layers", total: layers.count, isQuiet: quiet)
    Interruption.install()
    try SecondMomentFactors.write(statistics, layers: layers, ridge: ridge) { done in
      progress.update(completed: done)
      if Interruption.isRequested, done < layers.count {
        throw ErrataError.factoringInterrupted
      }
    }
    progress.finish()
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int ?? 0
    if json {
      printJSON([
        "output": JSON(path), "layers": .array(layers.map { .integer($0) }), "bytes": .integer(size),
        "seconds": .double(progress.secondsElapsed),
      ])
    } else {
      print(
        "\(path): factors of \(layers.count) layer\(layers.count == 1 ? "" : "s"), \(formatBytes(size)), "
          + formatDuration(progress.secondsElapsed))
    }
  }
}
