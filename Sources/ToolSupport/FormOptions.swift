import ArgumentParser

/// How facts and prompts are put to a model, on the command line.
public struct FormOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Put prompts as a user's turn of a chat, in the model's own format; targets are the reply.",
      discussion: "The format is known by the model's chat_template or tokenizer. A thought is given as over."))
  public var chat = false

  @Option(help: "What the system says in the chat (default: what the model's template has it say).")
  public var system: String?

  @Option(
    help: ArgumentHelp(
      "The chat format of a model whose own is not known: a JSON file (Spec/facts.md).", valueName: "file"))
  public var chatFormat: String?

  public init() {}

  public func validate() throws {
    if !chat, system != nil { throw ValidationError("--system goes with --chat") }
    if !chat, chatFormat != nil { throw ValidationError("--chat-format goes with --chat") }
  }
}

/// What stands between facts' prompts and their targets, on the command line.
public struct TargetPrefixOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "What stands between prompt and target, instead of what the rule says: \"\" or \" \" (Spec/facts.md).",
      discussion: "A record's own target_prefix goes before it.", valueName: "text"))
  public var targetPrefix: String?

  public init() {}
}
