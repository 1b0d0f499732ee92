import KnowledgeEditing
import Tensors
import Tokenizers
import WeightPatch

/// What facts and a tokenizer say about each other before anything is computed.
public struct FactPreflight {
  private let tokenizer: Tokenizer
  private let tokenization: PromptTokenization

  public init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    tokenization = PromptTokenization(tokenizer)
  }

  /// - Returns: a note for each fact whose subject shares its last token with what follows it in the prompt: there the edit
  ///   is written at a token that stands for more than the subject.
  /// - Throws: an `ErrataError` if the tokenizer has no tokens for a target.
  public func notes(_ facts: [Manifest.Fact]) throws -> [String] {
    try facts.compactMap { fact in
      let target = tokenization.target(fact.targetNew)
      guard !target.isEmpty, !target.contains(where: { $0 == tokenizer.unknownToken }) else {
        throw ErrataError.targetWithoutTokens(fact.label, fact.targetNew)
      }
      guard let shared = try tokenization.tokenBeyondSubject(fact) else { return nil }
      return
        "\(fact.label): the subject ends within the token \"\(shared)\" of the prompt, where the edit is written"
    }
  }
}
