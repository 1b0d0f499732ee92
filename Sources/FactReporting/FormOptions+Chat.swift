import KnowledgeEditing
import ToolSupport

extension FormOptions {
  /// How facts are put to a model by these options.
  ///
  /// - Throws: an `ErrataError` if a chat is asked for and the model's format is not known, or the file holds none.
  public func forms(_ model: LanguageModel, _ prefix: TargetPrefixOption) throws -> FactForms {
    let format = chat ? try chatFormat.map(ChatFormat.init(contentsOf:)) ?? ChatFormat(of: model) : nil
    return FactForms(model, chat: format, system: system, separator: prefix.targetPrefix)
  }
}
