import Foundation
import Tensors
import TestSupport
import Testing

@testable import EditEvaluation

@Suite struct PerplexityTests {
  @Test(arguments: EvaluationGolden.available) func isThatOfTransformers(golden: EvaluationGolden) throws {
    let model = try golden.model()
    let text = try PerplexityText(contentsOf: EvaluationGolden.samples + "/corpus.txt")
    for expected in try golden.numbers("perplexity") {
      let window = Int(try expected.number("window"))
      let found = try Perplexity.measure(
        model, text, window: window, stride: Int(try expected.number("stride")),
        maximumTokens: Int(try expected.number("maximum_tokens")))
      #expect(found.tokenCount == Int(try expected.number("tokens")))
      #expect(found.byteCount == Int(try expected.number("bytes")))
      for (metric, name) in zip(found.metrics, ["perplexity", "nats_per_token", "bits_per_byte"]) {
        let value = try expected.number(ByteString(name))
        #expect(abs(metric.value - value) < 1e-5 * value, "window \(window), \(name): \(metric.value), not \(value)")
      }
    }
  }

  /// Every token but the first is scored once, in a window no longer than asked for, with a token before it.
  @Test func windowsCoverTheText() {
    for count in 1...40 {
      for window in 2...12 {
        for stride in 1...window {
          let spans = Perplexity.spans(count, window: window, stride: stride)
          #expect(spans.flatMap { Array($0.scored) } == Array(1..<max(count, 1)))
          #expect(spans.allSatisfy { $0.start < $0.scored.lowerBound && $0.scored.upperBound - $0.start <= window })
        }
      }
    }
  }

  @Test func standardErrorIsThatOfTheWindows() {
    // Windows of the same size: the error of the mean of their means 1, 2 and 6.
    let windows = [1.0, 2, 6].map { Perplexity.Window(negativeLogLikelihood: 10 * $0, tokens: 10, bytes: 20) }
    let metrics = Perplexity(windows: windows).metrics
    let error = (14.0 / 2 / 3).squareRoot()
    #expect(abs(metrics[1].value - 3) < 1e-12)
    #expect(abs(metrics[1].standardError! - error) < 1e-12)
    #expect(abs(metrics[0].standardError! - error * exp(3)) < 1e-9)
    #expect(abs(metrics[2].value - 1.5 / log(2)) < 1e-12)
    #expect(abs(metrics[2].standardError! - error / 2 / log(2)) < 1e-12)
  }

  @Test func refusesWhatIsNoText() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/text"
    try Data([0x61, 0x62, 0xFF, 0x63]).write(to: URL(filePath: path))
    #expect(throws: ErrataError(.damagedInput, "\(path): is not UTF-8 text near byte 2")) {
      try PerplexityText(contentsOf: path)
    }
    try Data("a".utf8).write(to: URL(filePath: path))
    let short = try PerplexityText(contentsOf: path)
    #expect(
      throws: ErrataError(.general, "\(path): is too short: it takes two tokens to predict one of them")
    ) { try Perplexity.measure(try EvaluationGolden.sample.model(), short) }
  }
}
