import Foundation
import KnowledgeEditing
import Tensors
import Tokenization

/// A text for measuring perplexity.
public struct PerplexityText: Sendable {
  public let path: String
  let text: String
  private static let maximumLength = 64 << 20

  /// - Throws: an `ErrataError` if the file cannot be read, is longer than 64 MiB or is not UTF-8.
  public init(contentsOf path: String) throws {
    let file = try MappedFile(path: path)
    self.path = path
    text = try withExtendedLifetime(file) {
      guard file.bytes.count <= Self.maximumLength else { throw ErrataError.textTooLong(path, Self.maximumLength) }
      guard let text = String(validating: file.bytes, as: UTF8.self) else {
        // The replacement character stands where the valid text ends.
        let valid = String(decoding: file.bytes, as: UTF8.self).utf8
        let offset = zip(valid, file.bytes).enumerated().first { $1.0 != $1.1 }?.offset ?? file.bytes.count
        throw ErrataError.textNotUTF8(path, offset: offset)
      }
      return text
    }
  }
}

/// How well a model predicts a text.
///
/// The text is tokenized as a whole. Windows of `window` tokens start every `stride` tokens; each scores the tokens
/// that no window before it has scored, given those before them in the window, and the last ends with the text. (The
/// sliding window of Hugging Face's "Perplexity of fixed-length models".) Each window begins with the tokens that the
/// model's texts begin with, if there are any, which count among its tokens: without them such a model predicts what it
/// never learned to. Where there are none, the first token of all is not scored.
public struct Perplexity: Sendable, Equatable {
  /// Windows from the beginning of the text.
  let windows: [Window]

  struct Window: Sendable, Equatable {
    let negativeLogLikelihood: Double
    let tokens: Int
    /// Of the text, that the scored tokens stand for.
    let bytes: Int
  }

  public var tokenCount: Int { windows.reduce(0) { $0 + $1.tokens } }
  public var byteCount: Int { windows.reduce(0) { $0 + $1.bytes } }

  /// In nats, over all scored tokens.
  public var negativeLogLikelihoodPerToken: Double { total / Double(tokenCount) }
  private var total: Double { windows.reduce(0) { $0 + $1.negativeLogLikelihood } }

  /// Perplexity is exp of the mean negative log-likelihood per token; bits per byte compares models with different
  /// tokenizers. Standard errors take windows as the sample, and are those of a ratio of sums, carried to perplexity by
  /// the derivative of exp.
  public var metrics: [Metric] {
    guard tokenCount > 0, byteCount > 0 else { return [] }
    let mean = negativeLogLikelihoodPerToken
    let bits = total / log(2) / Double(byteCount)
    let error = standardError(mean) { Double($0.tokens) }
    let bitsError = standardError(total / Double(byteCount)) { Double($0.bytes) }.map { $0 / log(2) }
    return [
      Metric("perplexity", exp(mean), standardError: error.map { $0 * exp(mean) }, count: tokenCount),
      Metric("nats per token", mean, standardError: error, count: tokenCount),
      Metric("bits per byte", bits, standardError: bitsError, count: byteCount),
    ]
  }

  /// Of total / sum of sizes = `ratio`; nil for one window.
  private func standardError(_ ratio: Double, _ size: (Window) -> Double) -> Double? {
    guard windows.count > 1 else { return nil }
    let squares = windows.reduce(0) { sum, window in
      let residual = window.negativeLogLikelihood - ratio * size(window)
      return sum + residual * residual
    }
    let (count, sizes) = (Double(windows.count), windows.reduce(0) { $0 + size($1) })
    return (squares * count / (count - 1)).squareRoot() / sizes
  }
}

extension Perplexity {
  /// The published default of Hugging Face's description, or the model's positions if those are fewer.
  public static func defaultWindow(_ model: LanguageModel) -> Int { min(1024, model.decoder.maximumSequenceLength) }

  /// - Parameters:
  ///   - window: at least 2; no more than the model's positions are used.
  ///   - stride: at least 1, at most `window`; nil for half of the window.
  ///   - maximumTokens: of the text, from its beginning; nil for all.
  ///   - onProgress: called with the tokens scored and those to score in all; false ends early.
  /// - Throws: an `ErrataError` if the text has fewer than two tokens, or a probability is not a number.
  public static func measure(
    _ model: LanguageModel, _ text: PerplexityText, window: Int? = nil, stride: Int? = nil, maximumTokens: Int? = nil,
    onProgress: (_ tokens: Int, _ total: Int) -> Bool = { _, _ in true }
  ) throws -> Perplexity {
    let leading = model.tokenizer.leadingTokens
    let encoding = try model.tokenizer.encodeWithOffsets(text.text)
    let count = min(maximumTokens ?? .max, encoding.ids.count)
    let tokens = Array(encoding.ids.prefix(count))
    /// How many tokens of the text a window needs before the first that it scores.
    let context = leading.isEmpty ? 1 : 0
    guard tokens.count > context else { throw ErrataError.textTooShort(text.path) }
    let length = min(window ?? defaultWindow(model), model.decoder.maximumSequenceLength) - leading.count
    guard length > context else { throw ErrataError.windowWithoutText(leading.count) }
    let step = min(stride ?? max(1, length / 2), length)
    let spans = spans(tokens.count, window: length, stride: step, context: context)
    let prompts = spans.map {
      TargetPrompt(
        tokens: leading + tokens[$0.start..<$0.scored.lowerBound], targets: [Array(tokens[$0.scored])])
    }
    let scorer = TargetScorer(model)
    var windows: [Window] = []
    while windows.count < spans.count {
      let rest = prompts[windows.count...]
      let scores = try scorer.score(Array(rest.prefix(TargetScorer.passCount(rest))))
      let pass = spans[windows.count...].prefix(scores.count)
      for (span, score) in zip(pass, scores) {
        windows.append(
          Window(
            negativeLogLikelihood: -score[0].logProbability * Double(span.scored.count), tokens: span.scored.count,
            bytes: encoding.ranges[span.scored.upperBound - 1].upperBound
              - (span.scored.lowerBound == 0 ? 0 : encoding.ranges[span.scored.lowerBound - 1].upperBound)))
      }
      guard onProgress(pass.last!.scored.upperBound - context, tokens.count - context) else { break }
    }
    return Perplexity(windows: windows)
  }

  /// Where windows start, and which tokens they score.
  ///
  /// - Parameter context: how many tokens before its first scored one a window has at least, 0 or 1.
  static func spans(
    _ count: Int, window: Int, stride: Int, context: Int = 1
  ) -> [(start: Int, scored: Range<Int>)] {
    var spans: [(start: Int, scored: Range<Int>)] = []
    var (start, scored) = (0, context)
    while scored < count {
      let end = min(start + window, count)
      // The last window's context may be all of it but one token; the next one's first scored token needs its own.
      spans.append((start, scored..<end))
      scored = end
      start = min(start + stride, end - context)
    }
    return spans
  }
}
