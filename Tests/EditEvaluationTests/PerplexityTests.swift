import Foundation
import KnowledgeEditing
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

  /// Behind a model's special tokens, the first token is scored too.
  @Test func windowsCoverTheTextBehindSpecialTokens() {
    for count in 1...40 {
      for window in 1...12 {
        for stride in 1...window {
          let spans = Perplexity.spans(count, window: window, stride: stride, context: 0)
          #expect(spans.flatMap { Array($0.scored) } == Array(0..<count))
          #expect(spans.allSatisfy { $0.start <= $0.scored.lowerBound && $0.scored.upperBound - $0.start <= window })
        }
      }
    }
  }

  /// Each window begins as the model's texts do.
  @Test func windowsBeginWithSpecialTokens() throws {
    let directory = try TemporaryDirectory()
    let model = try LanguageModel(path: directory.sampleModel(template: "<|endoftext|> $A", name: "model"))
    let sample = "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid."
    try directory.write(sample, to: "text")
    let tokens = try model.tokenizer.encode(sample)
    try #require(tokens.count > 16)
    let found = try Perplexity.measure(
      model, PerplexityText(contentsOf: directory("text")), window: 8, stride: 7, maximumTokens: 16)
    // Seven tokens of the text in each, none of which is context for another window.
    let starts = [0, 7, 14]
    let scores = try TargetScorer(model).score(
      starts.map { TargetPrompt(tokens: [0], targets: [Array(tokens[$0..<min($0 + 7, 16)])]) })
    let expected = zip(starts, scores).map { -$1[0].logProbability * Double(min(7, 16 - $0)) }
    #expect(found.windows.map(\.tokens) == [7, 7, 2])
    for (window, value) in zip(found.windows, expected) {
      #expect(abs(window.negativeLogLikelihood - value) < 1e-4 * value)
    }
    #expect(found.tokenCount == 16)
    #expect(try found.byteCount == model.tokenizer.encodeWithOffsets(sample).ranges[15].upperBound)
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
