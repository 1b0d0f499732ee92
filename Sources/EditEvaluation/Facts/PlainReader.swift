import WeightPatch

/// What someone writes by hand, one fact on a line: `prompt` and `target`. The subject stands in the prompt in braces
/// ("The capital of {Australia} is"), or is named in `subject`; then the prompt has it as it is, or `{}` in its place.
/// `template` is another name for a prompt with `{}`.
enum PlainReader: FactReader {
  static let name = "plain (prompt, target, and subject or braces around it)"

  static func recognizes(_ fields: Set<String>) -> Bool {
    fields.contains("prompt") || fields.contains("template")
  }

  static func read(_ record: FactFields) throws -> FactRecord {
    let (subject, prompt) = try question(record)
    let fact = Manifest.Fact(
      subject: subject, prompt: prompt, targetNew: try record.filledText("target"),
      targetTrue: try record.optionalText("target_true"), relation: try record.optionalText("relation"),
      source: try record.optionalText("source"))
    return FactRecord(
      fact: fact, paraphrasePrompts: try record.textOrTexts("paraphrase"),
      neighborhoodPrompts: try record.textOrTexts("neighborhood").map { FactRecord.NeighborhoodPrompt($0) })
  }

  private static func question(_ record: FactFields) throws -> (subject: String, prompt: String) {
    if try record.optional("subject") != nil {
      let subject = try record.filledText("subject")
      let hasTemplate = try record.optional("template") != nil
      return (
        subject, hasTemplate ? try record.template("template") : try record.template("prompt", subject: subject)
      )
    }
    let field = try record.optional("template") == nil ? "prompt" : "template"
    let text = try record.text(field)
    guard let match = text.wholeMatch(of: /([^{}]*)\{([^{}]+)\}([^{}]*)/) else {
      throw record.failure(
        "subject", "is missing; name it, or put the subject into braces in the \(field) \"\(abbreviated(text))\"")
    }
    let subject = String(match.2)
    guard !subject.allSatisfy(\.isWhitespace) else {
      throw record.failure(field, "has an empty subject in its braces")
    }
    return (subject, match.1 + "{}" + match.3)
  }
}
