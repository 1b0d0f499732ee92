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

  /// A whole text, with the tokens that the model's prompts begin with; in a chat's turn, which has them among its own,
  /// if the form says so.
  ///
  /// - Throws: an `ErrataError` if the tokenizer cannot split the text (`Tokenizer.encode`), as all below do.
  public func prompt(_ text: String, form: Manifest.Form? = nil) throws(ErrataError) -> [Int32] {
    leadingTokens(form) + (try tokenizer.encode(form.placing(text)))
  }

  /// A fact's new target, as it continues the fact's prompt. A tokenizer that puts a space of its own before a text
  /// does not do so here.
  public func target(_ fact: Manifest.Fact) throws(ErrataError) -> [Int32] {
    try continuationTokens(fact.joint + fact.targetNew)
  }

  /// A target after another prompt than the fact's own, in the fact's form (`separator`).
  public func target(
    _ text: String, after prompt: String, of fact: Manifest.Fact
  ) throws(ErrataError) -> [Int32] {
    try continuationTokens(try separator(text, after: prompt, of: fact) + text)
  }

  /// A text that continues a prompt of no fact, with what the rule puts between them.
  package func target(_ text: String, after prompt: String) throws(ErrataError) -> [Int32] {
    try continuationTokens(try separator(text, after: prompt, form: nil) + text)
  }

  /// What stands between a prompt and a target of a fact, which need not be its own: what the rule says, unless the
  /// fact's own separator is another one than the rule's; then that.
  package func separator(
    _ target: String, after prompt: String, of fact: Manifest.Fact
  ) throws(ErrataError) -> String {
    guard fact.joint == (try separator(fact.targetNew, after: fact.question, form: fact.form)) else {
      return fact.separator ?? Manifest.Fact.plainSeparator(before: target)
    }
    return try separator(target, after: prompt, form: fact.form)
  }

  /// The record with what the rule (`TargetPrefix`) puts between its prompt and its target, where its file leaves that
  /// open.
  package func separated(_ record: FactRecord) throws(ErrataError) -> FactRecord {
    if record.isSeparated { return record }
    let fact = record.fact
    return record.separated(by: try separator(fact.targetNew, after: fact.question, form: fact.form))
  }

  private func separator(
    _ target: String, after prompt: String, form: Manifest.Form?
  ) throws(ErrataError) -> String {
    let text = form.placing(prompt)
    return try TargetPrefix.between(text, target) { () throws(ErrataError) in
      try tokenizer.encode(text).last.map { tokenizer.specialTokens.contains($0) } ?? false
    }
  }

  /// A text that continues a prompt, as it is.
  package func continuationTokens(_ text: String) throws(ErrataError) -> [Int32] {
    try tokenizer.encode(text, isContinuation: true)
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
    return try locate(
      fact.form, before: outer.before + inner.before, subject: fact.subject, after: inner.after + outer.after)
  }

  /// `"{} is a"`: where the value search holds the distribution of the next token still (the KL term).
  public func essence(_ fact: Manifest.Fact) throws(ErrataError) -> TokenizedPrompt {
    try locate(fact.form, before: "", subject: fact.subject, after: " is a")
  }

  /// The text of the token of the fact's prompt that holds the end of the subject and more; nil if the subject's end is
  /// the end of a token, as it mostly is.
  ///
  /// - Throws: an `ErrataError` if the prompt's slot is missing or there are two, or the subject is empty.
  public func tokenBeyondSubject(_ fact: Manifest.Fact) throws -> String? {
    let prompt = try prompt(fact)
    let encoding = try tokenizer.encodeWithOffsets(fact.form.placing(fact.question))
    guard let parts = PromptTemplate(fact.prompt), !encoding.ids.isEmpty else { return nil }
    let end = ((fact.form?.turn?.before ?? "") + parts.before + fact.subject).utf8.count
    let index = prompt.lookup - leadingTokens(fact.form).count
    return encoding.ranges[index].upperBound > end ? continuation([encoding.ids[index]]) : nil
  }

  private func locate(
    _ form: Manifest.Form?, before: String, subject: String, after: String
  ) throws(ErrataError) -> TokenizedPrompt {
    let leading = leadingTokens(form)
    let (before, after) = ((form?.turn?.before ?? "") + before, after + (form?.turn?.after ?? ""))
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

  private func leadingTokens(_ form: Manifest.Form?) -> [Int32] {
    form == nil ? tokenizer.leadingTokens : []
  }
}

extension Manifest.Form? {
  /// A prompt in its turn of the chat, up to where the reply begins; as it is without one.
  package func placing(_ prompt: String) -> String { (self?.turn?.before ?? "") + prompt + (self?.turn?.after ?? "") }
}
