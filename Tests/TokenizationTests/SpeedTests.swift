import Foundation
import Testing

@testable import Tokenization

private let environment = ProcessInfo.processInfo.environment

/// A measurement, no test: `ERRATA_BENCHMARK_TEXT=corpus.txt swift test -c release --filter SpeedTests`, with
/// `ERRATA_BENCHMARK_TOKENIZER` for another tokenizer than that of the fixtures in the manner of Llama 2.
@Suite struct SpeedTests {
  /// Tokens per second of processor time, here and in the Python package, in turn.
  @Test(.enabled(if: environment["ERRATA_BENCHMARK_TEXT"] != nil && LiveWitness.isInstalled))
  func againstTheReference() throws {
    let tokenizerPath = environment["ERRATA_BENCHMARK_TOKENIZER"] ?? Fixture.llama2.path
    let textPath = try #require(environment["ERRATA_BENCHMARK_TEXT"])
    let tokenizer = try Tokenizer(contentsOf: tokenizerPath)
    let text = String(decoding: try Data(contentsOf: URL(filePath: textPath)), as: UTF8.self)
    for _ in 0..<3 {
      let start = clock()
      let tokens = try tokenizer.encode(text).count
      let seconds = Double(clock() - start) / Double(CLOCKS_PER_SEC)
      let reference = try LiveWitness.time(tokenizer: tokenizerPath, text: textPath)
      #expect(tokens == reference.tokens)
      print(
        String(
          format: "%d tokens: %.0f tokens/s, tokenizers %.0f tokens/s, ratio %.1f", tokens, Double(tokens) / seconds,
          Double(tokens) / reference.seconds, reference.seconds / seconds))
    }
  }
}
