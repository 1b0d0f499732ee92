import ArgumentParser
import Foundation
import PatchAlgebra
import SecondMomentStatistics
import Tensors
import ToolSupport

struct FactorStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "errata stats factor",
    abstract: "Keeps the Cholesky factors of second moments, so that edits of large models need not make them.",
    discussion: """
      They are written beside the file, as FILE.factors, where 'errata edit' finds them. With keys of 11008 values a \
      factor takes 445 billion operations to make and 485 MB to keep; with 1536 values it is not worth while.
      """,
    version: errataVersion)

  @Argument(help: "A file of 'errata stats'.")
  var file: String

  @Option(help: "Only these layers, such as 3-5 (default: all).")
  var layers: String?

  @Option(help: "For edits with this --ridge.")
  var ridge = 0.0

  @OptionGroup
  var json: JSONOption

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
    json.give(FactorReport(path: path, layers: layers, byteCount: size, seconds: progress.secondsElapsed))
  }
}

/// What `errata stats factor` says when it is done.
struct FactorReport: Answer {
  let kind = "stats.factor"

  let path: String
  let layers: [Int]
  let byteCount: Int
  let seconds: Double

  var lines: [String] {
    [
      "\(path): factors of \(counted(layers.count, "layer")), \(formatBytes(byteCount)), \(formatDuration(seconds))"
    ]
  }

  var json: JSON {
    [
      "output": JSON(path), "layers": .array(layers.map { .integer($0) }), "bytes": .integer(byteCount),
      "seconds": .double(seconds),
    ]
  }
}
