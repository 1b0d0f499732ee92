import SecondMomentStatistics
import Tensors
import ToolSupport

/// What `errata stats --dry-run` says.
struct CollectionEstimate: Answer {
  let kind = "stats.estimate"

  private let estimate: SecondMomentCollector.Estimate
  private let layers: [Int]

  init(_ estimate: SecondMomentCollector.Estimate, layers: [Int]) {
    self.estimate = estimate
    self.layers = layers
  }

  var lines: [String] {
    [
      "\(estimate.tokens) tokens, \(inflected(layers.count, "layer")) "
        + "\(layers.map(String.init).joined(separator: ", ")): about \(formatDuration(estimate.seconds)) here, and "
        + "\(formatBytes(estimate.byteCount)) beside the weights"
    ]
  }

  var json: JSON {
    [
      "tokens": .integer(estimate.tokens), "layers": .array(layers.map { .integer($0) }),
      "seconds": .double(estimate.seconds), "bytes": .integer(estimate.byteCount),
    ]
  }
}
