import Facts
import Foundation
import Tensors
import WeightPatch

/// The texts in which a fact's prompt is placed, so that an edit holds in more than the bare prompt.
///
/// The first is the bare prompt, `{}`; the others are continuations sampled from the model itself (or given), each
/// followed by the prompt.
public struct ContextTemplates: Sendable, Equatable {
  public static let bare = "{}"
  static let starts = ["The", "Therefore", "Because", "I", "You"]

  /// Starts with `{}`.
  public let templates: [String]

  /// - Parameter templates: each with one `{}`; the bare one is put first if it is missing.
  /// - Throws: an `ErrataError` for a template without a slot or with two.
  public init(_ templates: [String]) throws {
    for template in templates where PromptTemplate(template) == nil {
      throw ErrataError.badTemplate(template)
    }
    self.templates = [Self.bare] + templates.filter { $0 != Self.bare }
  }

  /// Reads a JSON array of templates.
  ///
  /// - Throws: an `ErrataError` that names the file, or the template.
  public init(contentsOf path: String) throws {
    guard let elements = try JSON.parse(contentsOf: path, malformed: .usage).arrayValue,
      case let texts = elements.compactMap(\.stringValue), texts.count == elements.count
    else { throw ErrataError.notTemplates(path) }
    try self.init(texts)
  }

  /// Samples continuations of "The", "Therefore", "Because", "I" and "You" from the five most likely tokens at each
  /// place, as MEMIT does (five of 10 tokens); ROME takes ten of 5 and ten of 10.
  ///
  /// - Parameter lengths: for each round, how many tokens to sample after each of the five starts.
  public static func sampled(from model: LanguageModel, lengths: [Int], seed: UInt64) throws -> ContextTemplates {
    var random = RandomSource(seed: seed)
    let tokenization = PromptTokenization(model.tokenizer)
    // A special token (end of text, for one) would start another text in the middle of the template.
    var templates: [String] = []
    for length in lengths {
      let generated = try model.decoder.generate(
        try starts.map { try tokenization.prompt($0) }, count: length, choice: .sampled(count: 5, temperature: 1),
        random: &random, banned: model.tokenizer.specialTokens)
      for (start, tokens) in zip(starts, generated) {
        templates.append(clean(start + tokenization.continuation(tokens.map(\.id))) + ". {}")
      }
    }
    return try ContextTemplates(templates)
  }

  /// The method's usual number of them, with the settings' seed.
  package static func sampled(from model: LanguageModel, for settings: EditSettings) throws -> ContextTemplates {
    try Profile.measure("context templates") {
      try sampled(from: model, lengths: settings.method == .rome ? [5, 5, 10, 10] : [10], seed: settings.seed)
    }
  }

  /// One line, without braces, which would look like a slot, and without a cut-off character at the end.
  private static func clean(_ text: String) -> String {
    String(
      String.UnicodeScalarView(text.unicodeScalars.map { "{}\n\r\t\u{FFFD}".unicodeScalars.contains($0) ? " " : $0 })
    )
    .split(separator: " ").joined(separator: " ")
  }
}
