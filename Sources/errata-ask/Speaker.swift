import Facts
import KnowledgeEditing
import Tensors
import Transformer
import WeightPatch

/// A checkpoint that continues prompts, or answers them in a chat.
struct Speaker {
  /// As it was given.
  let name: String
  let model: LanguageModel
  /// nil where prompts are continued.
  let format: ChatFormat?
  let system: String?
  let tokenCount: Int
  let choice: TokenChoice
  let seed: UInt64

  private var tokenization: PromptTokenization { PromptTokenization(model.tokenizer) }

  /// What it says of each prompt, all of them at once.
  ///
  /// - Throws: an `ErrataError` if a prompt has no tokens or is too long for the model.
  func answers(_ prompts: [String]) throws -> [[GeneratedToken]] {
    var random = RandomSource(seed: seed)
    return try generate(prompts, form: form(), &random)
  }

  /// What it says next in a conversation.
  func reply(to words: String, after earlier: [ChatFormat.Exchange], _ random: inout RandomSource) throws -> String {
    text(try generate([words], form: form(after: earlier), &random)[0])
  }

  private func form(after earlier: [ChatFormat.Exchange] = []) -> Manifest.Form? {
    format?.form(system: system, after: earlier)
  }

  private func generate(
    _ prompts: [String], form: Manifest.Form?, _ random: inout RandomSource
  ) throws -> [[GeneratedToken]] {
    let inputs = try prompts.map { prompt in
      let tokens = try tokenization.prompt(prompt, form: form)
      guard !tokens.isEmpty else { throw ErrataError.emptyPrompt(prompt) }
      return tokens
    }
    return try model.decoder.generate(
      inputs, count: tokenCount, choice: choice, random: &random, ends: model.tokenizer.specialTokens)
  }

  /// The words of a continuation; of a reply without what the format has before them.
  func text(_ tokens: [GeneratedToken]) -> String {
    let text = tokenization.continuation(tokens.map(\.id), skippingSpecialTokens: true)
    guard let prefix = format?.targetPrefix, !prefix.isEmpty, text.hasPrefix(prefix) else { return text }
    return String(text.dropFirst(prefix.count))
  }

  func text(of token: GeneratedToken) -> String { tokenization.continuation([token.id]) }
}
