import Facts
import WeightPatch

/// How a run puts its facts to a model: what a fact says of it itself stays.
public struct FactForms {
  private let model: LanguageModel
  private let chat: ChatFormat?
  private let system: String?
  private let separator: String?
  private let tokenization: PromptTokenization

  /// - Parameters:
  ///   - chat: the format of the chat in which facts are put; nil for prompts that stand alone.
  ///   - system: what the system says in it; nil for what the format has it say.
  ///   - separator: what stands between prompt and target; nil for what the chat's format or the rule says.
  public init(_ model: LanguageModel, chat: ChatFormat? = nil, system: String? = nil, separator: String? = nil) {
    self.model = model
    self.chat = chat
    self.system = system
    self.separator = separator
    tokenization = PromptTokenization(model.tokenizer)
  }

  /// The records in these forms, each with what stands between its prompt and its target.
  ///
  /// - Throws: an `ErrataError` if a patch's fact names no turn, and the model's chat format is not known.
  public func applied(to records: [FactRecord]) throws -> [FactRecord] {
    try records.map { record in
      var record = record
      var separator = separator
      if let form = record.fact.form {
        if form.turn == nil { record.fact.form?.turn = try ChatFormat(of: model).form(saying: form.system).turn }
      } else if let chat {
        record.fact.form = chat.form(system: system)
        separator = separator ?? chat.targetPrefix
      }
      if !record.isSeparated, let separator { record = record.separated(by: separator) }
      return try tokenization.separated(record)
    }
  }
}
