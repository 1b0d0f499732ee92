import Tensors
import WeightPatch

extension ChatFormat {
  private static let fields: Set<ByteString> = [
    "name", "beginning", "system", "system_in_user", "default_system", "user", "assistant", "reply", "target_prefix",
  ]

  /// Reads a format for a model whose own is not known: a JSON object with the members of Spec/facts.md.
  ///
  /// - Throws: an `ErrataError` that names the file and the member.
  public init(contentsOf path: String) throws {
    let json = try JSON.parse(contentsOf: path, maximumValueCount: 1 << 10, malformed: .usage)
    guard let object = json.objectValue else { throw ErrataError.notChatFormat(path, "must be an object") }
    if let unknown = object.keys.first(where: { !Self.fields.contains($0) }) {
      throw ErrataError.notChatFormat(path, "'\(unknown)' is no member of a chat format")
    }
    func text(_ member: String) throws -> String? {
      guard let value = json[ByteString(member)], !value.isNull else { return nil }
      guard let text = value.stringValue, !text.utf8.contains(0) else {
        throw ErrataError.notChatFormat(path, "'\(member)' must be a string without NUL characters")
      }
      return text
    }
    func turn(_ member: String) throws -> String? {
      guard let turn = try text(member) else { return nil }
      guard PromptTemplate(turn) != nil else {
        throw ErrataError.notChatFormat(path, "'\(member)' must contain {} exactly once, where the words stand")
      }
      return turn
    }
    guard let user = try turn("user") else { throw ErrataError.notChatFormat(path, "'user' is missing") }
    guard let assistant = try turn("assistant") else {
      throw ErrataError.notChatFormat(path, "'assistant' is missing")
    }
    let place = json["system_in_user"]
    guard place == nil || place?.boolValue != nil else {
      throw ErrataError.notChatFormat(path, "'system_in_user' must be true or false")
    }
    self.init(
      name: try text("name") ?? path, beginning: try text("beginning") ?? "", system: try turn("system") ?? "{}\n\n",
      systemIsPartOfUser: place?.boolValue ?? (json["system"] == nil), defaultSystem: try text("default_system"),
      user: user, assistant: assistant, reply: try text("reply") ?? PromptTemplate(assistant)!.before,
      targetPrefix: try text("target_prefix") ?? "")
  }
}
