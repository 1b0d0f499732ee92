import Foundation
import Tensors
import Tokenization
import WeightPatch

extension ChatFormat {
  /// The format of a model's chats: known by marks in its `chat_template` (chat_template.jinja, chat_template.json or
  /// tokenizer_config.json), or, without one, by tokens of its tokenizer; what of the template is a matter of this
  /// model alone (the system's own words, an empty thought) is read from it.
  ///
  /// - Throws: an `ErrataError` if it is none that is known.
  public init(of model: LanguageModel) throws {
    let files = ChatTemplateFiles(directory: model.checkpoint.path)
    if let template = files.template {
      guard let format = Self.format(of: ChatTemplate(template), files) else {
        throw ErrataError.unknownChatFormat(model.checkpoint.path, known: Self.names)
      }
      self = format
      self.template = Digest(of: Array(template.utf8))
      return
    }
    guard let known = Self.known.first(where: { $0.isSpoken(by: model.tokenizer) }) else {
      throw ErrataError.noChatFormat(model.checkpoint.path)
    }
    self = known.format
    beginning = model.tokenizer.decode(model.tokenizer.leadingTokens) + beginning
  }

  /// The known format whose marks the template has, as the template has it; nil if there is none.
  static func format(of template: ChatTemplate, _ files: ChatTemplateFiles) -> ChatFormat? {
    guard var format = known.first(where: { $0.isWritten(in: template) })?.format else { return nil }
    // Some call the mark of a turn so.
    if let token = files.beginningOfText, template.contains("bos_token"), !format.user.hasPrefix(token) {
      format.beginning = token + format.beginning
    }
    if let token = files.endOfText, template.contains("eos_token") { format.endTexts(with: token) }
    if format.defaultSystem == nil { format.defaultSystem = template.defaultSystem(in: format.system) }
    if !format.reply.contains("</think>"), let thought = template.emptyThought { format.reply += thought }
    if let preamble = template.preamble { format.prependToSystem(preamble) }
    return format
  }

  /// The token that ends texts, of which the formats that are known write one.
  private mutating func endTexts(with token: String) {
    func replaced(_ turn: String) -> String { turn.replacingOccurrences(of: "</s>", with: token) }
    (system, user, assistant) = (replaced(system), replaced(user), replaced(assistant))
  }

  /// Text that the system's turn always begins with.
  private mutating func prependToSystem(_ text: String) {
    system = system.replacingOccurrences(of: "{}", with: text + "{}")
    defaultSystem = defaultSystem ?? ""
  }
}

extension ChatFormat.Known {
  func isWritten(in template: ChatTemplate) -> Bool {
    marks.allSatisfy(template.contains) && !absent.contains(where: template.contains)
  }

  func isSpoken(by tokenizer: Tokenizer) -> Bool {
    func has(_ mark: String) -> Bool { tokenizer.id(of: ByteString(mark)) != nil }
    return !needsTemplate && marks.allSatisfy(has) && !absent.contains(where: has)
  }
}

/// What can be read from a Jinja template without running it.
struct ChatTemplate {
  /// Line breaks as themselves, where string literals write `\n`.
  private let text: String

  init(_ source: String) {
    text = source.replacingOccurrences(of: "\\n", with: "\n")
  }

  func contains(_ mark: String) -> Bool { text.contains(mark) }

  /// What it has the system say when nobody else does: a literal between the beginning and the end of the system's
  /// turn.
  func defaultSystem(in turn: String) -> String? {
    guard let turn = PromptTemplate(turn), !turn.before.isEmpty, !turn.after.isEmpty else { return nil }
    for start in text.ranges(of: turn.before).map(\.upperBound) {
      guard let end = text[start...].range(of: turn.after.trimmingCharacters(in: .newlines)) else { continue }
      let words = text[start..<end.lowerBound]
      // A quotation mark would end the literal: what follows is a variable's.
      if !words.isEmpty, words.count < 1000, !words.contains(where: { "'\"{}".contains($0) }) { return String(words) }
    }
    return nil
  }

  /// The thought that is over before it has begun, which a model that can think is given when it shall not.
  var emptyThought: String? {
    // Elsewhere it says how thoughts of earlier replies are left out.
    guard let mark = text.range(of: "add_generation_prompt", options: .backwards) else { return nil }
    let text = text[mark.upperBound...]
    let thoughts = [
      "<think>\n\n</think>\n\n", "<think>\n\n</think>\n", "<think>\n</think>", "<think></think>",
      "<|channel>thought\n<channel|>",
    ]
    if let written = thoughts.first(where: { text.contains($0) }) { return written }
    guard text.contains("<think>\n") else { return nil }
    // It is asked whether to think, and a thought that was begun ends, or none was; or it always thinks, and this one
    // has ended.
    if text.contains("enable_thinking") { return text.contains("</think>") ? "<think>\n</think>" : nil }
    return thoughts[0]
  }

  /// Llama 3.1's dates, at the beginning of every system turn. A template that asks for the day gets the one that it
  /// falls back on, so that a patch does not depend on when it was made.
  var preamble: String? {
    text.contains("Cutting Knowledge Date: December 2023\n") && text.contains("26 Jul 2024")
      ? "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n" : nil
  }
}

/// What a checkpoint's files say of chats.
struct ChatTemplateFiles {
  /// The default one of several.
  let template: String?
  /// The tokens that templates call `bos_token` and `eos_token`.
  let beginningOfText: String?
  let endOfText: String?

  init(template: String?, beginningOfText: String?, endOfText: String?) {
    self.template = template
    self.beginningOfText = beginningOfText
    self.endOfText = endOfText
  }

  /// - Parameter directory: the checkpoint's. A file that is missing or not as expected says nothing.
  init(directory: String) {
    func json(_ name: String) -> JSON? {
      try? JSON.parse(contentsOf: directory + "/" + name, maximumValueCount: 1 << 20)
    }
    let configuration = json("tokenizer_config.json")
    func token(_ name: ByteString) -> String? {
      let token = configuration?[name]
      return token?.stringValue ?? token?["content"]?.stringValue
    }
    beginningOfText = token("bos_token")
    endOfText = token("eos_token")
    template =
      Self.text(directory + "/chat_template.jinja") ?? Self.template(json("chat_template.json"))
      ?? Self.template(configuration)
  }

  private static func template(_ json: JSON?) -> String? {
    guard let value = json?["chat_template"] else { return nil }
    let named = value.arrayValue ?? []
    let chosen = named.first { $0["name"]?.stringValue == "default" } ?? named.first
    return value.stringValue ?? chosen?["template"]?.stringValue
  }

  private static func text(_ path: String) -> String? {
    guard let file = try? MappedFile(path: path), file.bytes.count <= 1 << 20 else { return nil }
    return withExtendedLifetime(file) { String(decoding: file.bytes, as: UTF8.self) }
  }
}
