import Tensors
import Tokenization
import WeightPatch

/// A prompt as tokens, and where its subject ends.
public struct TokenizedPrompt: Sendable, Equatable {
  public var tokens: [Int32]
  /// The index of the subject's last token: where keys are read and values written (ARCHITECTURE: keys and values).
  public let lookup: Int

  package init(tokens: [Int32], lookup: Int) {
    self.tokens = tokens
    self.lookup = lookup
  }

  /// Everything up to and with the subject's last token. What comes later does not change what is measured there.
  public var upToLookup: [Int32] { Array(tokens[...lookup]) }
}

/// Turns a fact's texts into tokens, as the published code does (ARCHITECTURE: keys and values).
public struct PromptTokenization: Sendable {
  private let tokenizer: Tokenizer

  public init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
  }

  /// A whole text, with the tokens that the model's prompts begin with.
  ///
  /// - Throws: an `ErrataError` if the tokenizer cannot split the text (`Tokenizer.encode`), as all below do.
  public func prompt(_ text: String) throws(ErrataError) -> [Int32] {
    tokenizer.leadingTokens + (try tokenizer.encode(text))
  }

  /// A target, as the continuation of a prompt: with a space before it unless it begins with one. A tokenizer that puts a
  /// space of its own before a text does not do so here, where the target's text would have two.
  public func target(_ text: String) throws(ErrataError) -> [Int32] {
    try tokenizer.encode(text.utf8.first == UInt8(ascii: " ") ? text : " " + text, isContinuation: true)
  }

  /// The text of tokens that continue a prompt.
  public func continuation(_ tokens: [Int32], skippingSpecialTokens: Bool = false) -> String {
    tokenizer.decode(tokens, skippingSpecialTokens: skippingSpecialTokens, isContinuation: true)
  }

  /// `template` with its slot filled by the fact's prompt, and that by the subject.
  ///
  /// - Throws: an `ErrataError` if a slot is missing or there are two, or the subject is empty.
  public func prompt(_ fact: Manifest.Fact, template: String = "{}") throws -> TokenizedPrompt {
    guard !fact.subject.isEmpty else { throw ErrataError.emptyField(fact.label, "the subject") }
    guard let outer = PromptTemplate(template) else { throw ErrataError.badTemplate(template) }
    guard let inner = PromptTemplate(fact.prompt) else {
      throw ErrataError.promptWithoutSubjectSlot(fact.label, fact.prompt)
    }
    return try locate(before: outer.before + inner.before, subject: fact.subject, after: inner.after + outer.after)
  }

  /// `"{} is a"`: where the value search holds the distribution of the next token still (the KL term).
  public func essence(_ fact: Manifest.Fact) throws(ErrataError) -> TokenizedPrompt {
    try locate(before: "", subject: fact.subject, after: " is a")
  }

  /// The text of the token of the fact's prompt that holds the end of the subject and more; nil if the subject's end is
  /// the end of a token, as it mostly is.
  ///
  /// - Throws: an `ErrataError` if the prompt's slot is missing or there are two, or the subject is empty.
  public func tokenBeyondSubject(_ fact: Manifest.Fact) throws -> String? {
    let prompt = try prompt(fact)
    let leading = tokenizer.leadingTokens.count
    let encoding = try tokenizer.encodeWithOffsets(fact.question)
    guard let parts = PromptTemplate(fact.prompt), !encoding.ids.isEmpty else { return nil }
    let end = (parts.before + fact.subject).utf8.count
    let index = prompt.lookup - leading
    return encoding.ranges[index].upperBound > end ? continuation([encoding.ids[index]]) : nil
  }

  private func locate(before: String, subject: String, after: String) throws(ErrataError) -> TokenizedPrompt {
    let leading = tokenizer.leadingTokens
    let upToSubject = try tokenizer.encode(before + subject)
    let whole = try tokenizer.encodeWithOffsets(before + subject + after)
    if !upToSubject.isEmpty, whole.ids.starts(with: upToSubject) {
      return TokenizedPrompt(tokens: leading + whole.ids, lookup: leading.count + upToSubject.count - 1)
    }
    // The subject's end is not a token boundary of the whole prompt: the last token that begins inside the subject.
    let end = (before + subject).utf8.count
    let last = whole.ranges.lastIndex { $0.lowerBound < end } ?? 0
    return TokenizedPrompt(tokens: leading + whole.ids, lookup: leading.count + last)
  }
}
