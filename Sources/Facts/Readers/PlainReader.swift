import Tensors
import WeightPatch

/// What someone writes by hand, one fact on a line: `prompt` and `target`. The subject stands in the prompt in braces
/// ("The capital of {Australia} is"), or is named in `subject`; then the prompt has it as it is, or `{}` in its place.
/// `template` is another name for a prompt with `{}`.
enum PlainReader: FactReader {
  static let name = "plain (prompt, target, and subject or braces around it)"

  static func recognizes(_ fields: Set<ByteString>) -> Bool {
    fields.contains("prompt") || fields.contains("template")
  }

  static func read(_ record: FactFields) throws -> [FactRecord] {
    let (subject, prompt) = try question(record)
    let fact = Manifest.Fact(
      subject: subject, prompt: prompt, targetNew: try record.filledText("target"),
      targetTrue: try record.optionalText("target_true"), relation: try record.optionalText("relation"),
      source: try record.optionalText("source"))
    return [
      FactRecord(
        fact: fact, paraphrasePrompts: try record.textOrTexts("paraphrase"),
        neighborhoodPrompts: try record.textOrTexts("neighborhood").map { FactRecord.NeighborhoodPrompt($0) })
    ]
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
    guard let (before, subject, after) = partsAroundBraces(text) else {
      throw record.failure(
        "subject", "is missing; name it, or put the subject into braces in the \(field) \"\(abbreviated(text))\"")
    }
    guard !subject.allSatisfy(\.isWhitespace) else {
      throw record.failure(field, "has an empty subject in its braces")
    }
    return (subject, try record.template(field, before: before, after: after))
  }

  /// The one text in braces, and what stands around it; `{}` is text. Nil if the braces are not like this.
  private static func partsAroundBraces(_ text: String) -> (before: String, subject: String, after: String)? {
    let bytes = text.utf8
    var (open, close): (String.Index?, String.Index?)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let next = bytes.index(after: index)
      switch bytes[index] {
      case UInt8(ascii: "{") where open == nil || close != nil:
        if next < bytes.endIndex, bytes[next] == UInt8(ascii: "}") {
          index = bytes.index(after: next)
          continue
        }
        guard open == nil else { return nil }
        open = index
      case UInt8(ascii: "}") where open != nil && close == nil: close = index
      case UInt8(ascii: "{"), UInt8(ascii: "}"): return nil
      default: break
      }
      index = next
    }
    guard let open, let close else { return nil }
    return (
      String(text[..<open]), String(text[bytes.index(after: open)..<close]), String(text[bytes.index(after: close)...])
    )
  }
}
